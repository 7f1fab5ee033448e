"""The main path on real dermoscopy images, as real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.machine.host import usable_cores
from bench.record.figures import pixels
from bench.record.files import read_record
from tests.support.site import bench

pytestmark = pytest.mark.process

# One thread: other tests run beside these, and a step whose threads wait for each other suffers most from neighbours.
ONE_THREAD = ["--threads", "1"]
SHORT = ["--trials", "1", "--seconds", "0.1", "--no-ceilings", "--no-search", "--quiet", "--precision", "fp32"]


def measured(folder: Path, *arguments: str):
    done = bench(["run", *SHORT, *arguments], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (folder / "bench-results").iterdir()
    return read_record(run), done.stdout


def test_an_npz_on_two_backends(real_data, tmp_path):
    data = real_data / "ham10000_28" / "ham10000_28_medmnist_layout.npz"
    record, table = measured(
        tmp_path, "--backend", "cpu", *ONE_THREAD, "--backend", "jax", "--size", "tiny", "--batch-size", "64",
        "--phase", "preprocess", "--phase", "train", "--data", str(data),
    )  # fmt: skip
    assert record.data[0].count == 10_015
    assert {(case.backend, case.phase) for case in record.cases} == {("cpu", "train"), ("jax", "train")}
    assert any("npz" in skip.reason for skip in record.skips), "an npz holds no files to decode, and the record says so"
    assert "one training" in table
    assert "ham10000" not in (tmp_path / "bench-results").joinpath(record.id, "record.json").read_text(), (
        "no path in a record"
    )


def test_a_folder_with_its_table(real_data, tmp_path):
    data = real_data / "ham10000_200x150"
    record, table = measured(
        tmp_path, *ONE_THREAD, "--backend", "cpu", "--size", "tiny", "--batch-size", "16",
        "--phase", "preprocess", "--phase", "train", "--input", "files", "--data", str(data),
    )  # fmt: skip
    assert record.data[0].count == 3000
    assert [case.scenario for case in record.cases if case.phase == "train"] == ["", "from-files"]
    assert "more time per image than from memory" in table
    assert record.data[0].megapixels == pytest.approx(0.03)
    assert "ISIC_00" not in (tmp_path / "bench-results").joinpath(record.id, "record.json").read_text(), (
        "no image name in a record"
    )
    trials = [trial for trial in record.trials if trial.role == "trial"]
    assert all(check.passed for trial in trials for check in trial.checks)


def test_originals_for_preprocessing(real_data, tmp_path):
    data = real_data / "isic_uda1_originals"
    record, _ = measured(
        tmp_path, "--backend", "cpu", "--phase", "preprocess", "--size", "standard", "--data", str(data)
    )  # fmt: skip
    assert [case.cores for case in record.cases] == sorted({1, max(1, usable_cores() // 2), usable_cores()})
    assert all(sum(pixels(trial)) > 0 for trial in record.trials if trial.role == "trial")


def test_training_to_the_end_prints_an_auc(real_data, tmp_path):
    data = real_data / "ham10000_28" / "ham10000_28_medmnist_layout.npz"
    done = bench(
        ["train", "--backend", "cpu", *ONE_THREAD, "--data", str(data), "--epochs", "1", "--quiet", "-o", "auc.json"],
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    auc = float(done.stdout.split("test AUC ")[1].split(",")[0])
    assert 0.55 < auc < 0.95, "one epoch is well above chance"
    assert (tmp_path / "auc.json").exists()
