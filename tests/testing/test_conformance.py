"""The pytest class itself, run by a pytest of its own: what it parametrises, skips and fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.process

SUITE = '''
import os
from dataclasses import replace
from bench.contract import Probe, UnsupportedLayer
from bench.spec import AveragePool, walk
from bench.testing import BackendConformance
from bench.testing.reference import ReferenceBackend
from bench.testing.zoo import CHEATS


class Missing(ReferenceBackend):
    def probe(self):
        return Probe(reason="no such card; check with xsmi")


class Reader(ReferenceBackend):
    """Inference only, and without AveragePool."""

    def probe(self):
        found = super().probe()
        return replace(found, devices=tuple(replace(device, trains=False) for device in found.devices))

    def predictor(self, workload, weights, device, settings):
        if any(isinstance(node.layer, AveragePool) for node in walk(workload.network)):
            raise UnsupportedLayer("no AveragePool here")
        return super().predictor(workload, weights, device, settings)


os.environ["REPLACED"] = "before"


def surroundings():
    return os.environ.get("ADDED"), os.environ["REPLACED"]


class Demanding(ReferenceBackend):
    environment = {"ADDED": "1", "REPLACED": "2"}

    def probe(self):
        assert surroundings() == ("1", "2")
        return super().probe()

    def trainer(self, *given):
        assert surroundings() == ("1", "2")
        return super().trainer(*given)


class TestDemanding(BackendConformance):
    backend = Demanding()
    precisions = ("fp32",)
    layers = ()


def test_surroundings():
    assert surroundings() == (None, "before")


class TestHonest(BackendConformance):
    backend = ReferenceBackend()
    precisions = ("float64", "fp32")
    layers = ("SiLU", "MaxPool")


class TestMissing(BackendConformance):
    backend = Missing()


class TestReader(BackendConformance):
    backend = Reader()
    precisions = ("fp32",)
    layers = ("AveragePool", "Flatten")


class TestNoSuchPrecision(BackendConformance):
    backend = ReferenceBackend()
    precisions = ()


class TestCheat(BackendConformance):
    backend = CHEATS["epsilon of BatchNorm"].backend
    precisions = ("float64",)
    layers = ()
'''


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("suite")
    (folder / "test_suite.py").write_text(SUITE)
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-vrs",
            "--basetemp",
            str(folder / "tmp"),
            "test_suite.py",
        ],
        cwd=folder,
        env=quiet | {"COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr  # the cheat fails
    return done.stdout


def lines(outcome: str, *words: str) -> list[str]:
    return [line for line in outcome.splitlines() if line.startswith("test_suite.py::") and all(w in line for w in words)]


def test_an_honest_backend_passes_on_each_precision_and_workload(outcome: str):
    found = lines(outcome, "TestHonest")
    assert found
    assert all("PASSED" in line for line in found)
    for test in ("equivalence", "training", "predictions", "timed_training", "timed_predictions"):
        for precision in ("float64", "fp32"):
            for workload in ("kit-residual", "kit-assorted"):
                assert lines(outcome, f"TestHonest::test_{test}[reference-{precision}-{workload}]")
    assert len(lines(outcome, "TestHonest::test_layer")) == 2  # in the best precision only


def test_a_missing_device_skips_with_its_reason(outcome: str):
    assert "PASSED" in lines(outcome, "TestMissing::test_probe")[0]
    found = lines(outcome, "TestMissing", "no device")
    assert len(found) == 6
    assert all("SKIPPED" in line for line in found)
    assert "no such card; check with xsmi" in outcome


def test_what_a_backend_wants_in_the_environment_is_there_from_its_first_probe_on_and_goes_again(outcome: str):
    for test in ("test_probe", "test_equivalence", "test_training"):
        found = lines(outcome, f"TestDemanding::{test}")
        assert found
        assert all("PASSED" in line for line in found)
    assert "PASSED" in lines(outcome, "::test_surroundings")[0]


def test_inference_only_skips_training_and_a_missing_layer_is_named(outcome: str):
    assert all("SKIPPED" in line for line in lines(outcome, "TestReader::test_training"))
    assert all("SKIPPED" in line for line in lines(outcome, "TestReader::test_timed_training"))
    assert "device reference runs inference only" in outcome
    assert "no AveragePool here" in outcome
    assert "SKIPPED" in lines(outcome, "TestReader::test_layer", "kit AveragePool]")[0]
    assert "PASSED" in lines(outcome, "TestReader::test_layer", "kit Flatten]")[0]
    assert "PASSED" in lines(outcome, "TestReader::test_equivalence", "kit-residual]")[0]
    assert "PASSED" in lines(outcome, "TestReader::test_timed_predictions", "kit-residual]")[0]


def test_no_precision_in_common_is_a_skip(outcome: str):
    assert all("SKIPPED" in line for line in lines(outcome, "TestNoSuchPrecision", "no device"))


def test_a_failure_says_what_was_found_and_what_is_likely(outcome: str):
    assert "FAILED" in lines(outcome, "TestCheat::test_equivalence", "kit-residual]")[0]
    assert "  losses: found " in outcome
    assert "the numbers are exactly those of: BatchNorm epsilon 1e-3" in outcome
    assert "PASSED" in lines(outcome, "TestCheat::test_probe")[0]


def test_the_checks_need_no_pytest():
    code = "import sys; import bench.testing.zoo, bench.testing; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
