"""A stranger's package, installed as pip installs it, seen only by the processes of these tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.record.files import NAME, read_record, write_record
from tests.support import records as fake
from tests.support.site import bench, environment, without_own_plugins
from tests.support.waiting import PATIENCE

EXAMPLE = Path(__file__).parents[1] / "examples" / "stranger"
SHORT = [
    "--threads",
    "1",
    "--trials",
    "1",
    "--seconds",
    "0.1",
    "--no-ceilings",
    "--no-search",
    "--quiet",
    "--precision",
    "fp32",
    "--batch-size",
    "16",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The example in a folder of its own."""
    folder = tmp_path_factory.mktemp("stranger")
    source = shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("*.egg-info", "build"))
    flags = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(folder / "site")]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, str(source)], check=True, capture_output=True)
    return folder / "site"


@pytest.fixture(scope="module")
def alone(site):
    """The example, for processes that find no other plugin."""
    folder = shutil.copytree(site, site.parent / "alone")
    without_own_plugins(folder)
    return folder


def test_it_is_listed(alone, tmp_path):
    done = bench(["list"], tmp_path, alone)
    assert done.returncode == 0
    assert "numpy  (numpy" in done.stdout
    assert "accelbench-stranger" in done.stdout
    assert "inference only" in done.stdout
    assert "stripes small  16x16, upright or level stripes" in done.stdout
    assert ", latex (plugin latex of accelbench-stranger)" in done.stdout


def test_its_reporter_is_a_format(alone, tmp_path):
    write_record(fake.record(), tmp_path / NAME)
    done = bench(["report", NAME, "--format", "latex", "-o", "table.tex"], tmp_path, alone)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    table = (tmp_path / "table.tex").read_text()
    assert table.startswith("\\begin{tabular}")
    assert "cuda:0 & melanoma small & train & bf16 & " in table


def test_its_backend_verifies(site, tmp_path):
    done = bench(["verify", "--backend", "numpy", "--workload", "melanoma-shallow"], tmp_path, site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("pass  numpy numpy melanoma-shallow-tiny") == 2


def test_every_workload_runs_on_its_backend(site, tmp_path):
    done = bench(["run", "--backend", "numpy", "--size", "tiny", *SHORT], tmp_path, site)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (tmp_path / "bench-results").iterdir()
    record = read_record(run)
    assert {case.phase for case in record.cases} == {"preprocess", "infer"}
    assert any("inference only" in skip.reason for skip in record.skips)


def test_its_workload_runs_on_every_backend(site, tmp_path):
    done = bench(["run", "--workload", "stripes", *SHORT], tmp_path, site)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (tmp_path / "bench-results").iterdir()
    record = read_record(run)
    assert {case.backend for case in record.cases} >= {"cpu", "jax", "numpy"}
    assert {case.backend for case in record.cases if case.phase == "train"} >= {"cpu", "jax"}
    trials = [trial for trial in record.trials if trial.role == "trial"]
    assert all(trial.checks and all(check.passed for check in trial.checks) for trial in trials)


def test_it_passes_the_kit(site, tmp_path):
    shutil.copy(EXAMPLE / "tests" / "test_conformance.py", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "test_conformance.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path, site), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in done.stdout
    for lacking in ("the numpy backend has no AveragePool", "has no grouped Conv2d", "device numpy runs inference only"):
        assert lacking in done.stdout, "what the backend lacks is a skip that names it"
