"""``bench run --until-quality``: seeds as trials, curves in the record, targets reached or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import structs

from bench.comparison.facts import case_key
from bench.record.files import read_record
from bench.record.plausible import sentences
from bench.record.schema import Case, Place
from tests.support.site import bench

RUN = [
    "run",
    "--until-quality",
    "--workload",
    "dots",
    "--backend",
    "misbehaving",
    "--precision",
    "float64",
    "--images",
    "400",
]


def test_seeds_train_to_the_target_and_the_record_keeps_their_curves(tmp_path: Path, site: Path):
    done = bench([*RUN, "--trials", "2", "--epochs", "8", "--target", "auc=0.6", "-o", "results"], tmp_path, site)
    assert done.returncode == 0, done.stderr
    assert "Time to quality: dots small" in done.stdout
    assert "2 of 2" in done.stdout
    record = read_record(next((tmp_path / "results").iterdir()))
    (case,) = record.cases
    assert sentences(record) == []
    assert (case.scenario, case.epochs, case.targets) == ("to-quality", 8, {"auc": 0.6})
    assert [trial.role for trial in record.trials] == ["trial", "trial"]
    for trial in record.trials:
        assert trial.curve[-1].measures["auc"] >= 0.6
        assert all(point.measures["auc"] < 0.6 for point in trial.curve[:-1])
        assert set(trial.test) == {"auc", "accuracy"}
        assert all(check.passed for check in trial.checks)
        assert {"final predictions", "witness loss", "every weight moved"} <= {check.name for check in trial.checks}
    assert record.trials[0].curve != record.trials[1].curve
    told = json.loads(bench(["report", "results", "--format", "json"], tmp_path, site).stdout)
    (quality,) = told["time_to_quality"]
    assert quality["targets"] == {"auc": 0.6}
    assert [len(training["curve"]) for training in quality["trainings"]] == [len(trial.curve) for trial in record.trials]
    assert told["measured"] == []
    compared = bench(["compare", "results", "results"], tmp_path, site)
    assert "no samples" not in compared.stdout + compared.stderr


@pytest.mark.parametrize("target", ["auc=0.5", "accuracy=0.2"])
def test_a_target_that_a_constant_answer_reaches_is_refused(tmp_path: Path, site: Path, target: str):
    done = bench([*RUN, "--target", target, "-o", "results"], tmp_path, site)
    assert done.returncode == 2
    assert "proves nothing: the same answer for every validation image reaches 0." in done.stderr
    assert not (tmp_path / "results").exists() or not any((tmp_path / "results").iterdir())


def test_a_target_that_is_not_reached_gives_no_figure(tmp_path: Path, site: Path):
    words = ["--trials", "1", "--epochs", "1", "--target", "auc=0.9999", "--target", "accuracy=1"]
    done = bench([*RUN, *words, "-o", "results"], tmp_path, site)
    assert done.returncode == 6
    assert "0 of 1" in done.stdout
    assert "did not reach AUC 0.9999 and accuracy 1" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "dots-small has no quality target on synthetic images; name one, as in --target auc=0.85"),
        (["--target", "auc=high"], "--target auc=high is not understood"),
        (["--target", "f1=0.5"], "unknown measure of quality 'f1'; there are: auc, accuracy"),
        (["--target", "auc=1.5"], "a target of 1.5 for auc is not possible"),
        (["--target", "auc=nan"], "a target of nan for auc is not possible"),
        (["--target", "auc=0.6", "--epochs", "0"], "0 epochs are not possible"),
        (["--target", "auc=0.6", "--phase", "infer"], "leave out --phase and --input"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(tmp_path: Path, site: Path, words: list[str], message: str):
    done = bench([*RUN, *words], tmp_path, site)
    assert done.returncode == 2
    assert message in done.stderr


def test_trainings_to_different_targets_are_not_held_against_each_other():
    base = Case(backend="b", places=(Place("d"),), workload="w", size="s", phase="train", scenario="to-quality", epochs=9)
    keys = {case_key(structs.replace(base, targets={"auc": target})) for target in (0.8, 0.9)}
    assert len(keys | {case_key(structs.replace(base, targets={"auc": 0.9}, epochs=8))}) == 3


def test_only_training_can_be_fed_from_files(tmp_path: Path, site: Path):
    done = bench(["run", "--workload", "dots", "--phase", "infer", "--input", "files"], tmp_path, site)
    assert done.returncode == 2
    assert "add --phase train" in done.stderr


def test_a_target_needs_until_quality(tmp_path: Path, site: Path):
    done = bench(["run", "--workload", "dots", "--target", "auc=0.6"], tmp_path, site)
    assert done.returncode == 2
    assert "add --until-quality" in done.stderr
