"""The kit as a pytest class. This is a thin shell: the checks are plain functions in the modules beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bench.contract import PRECISIONS, Backend, DataRequest, Device, Probe, Settings, UnsupportedLayer, Workload
from bench.record.schema import Check
from bench.testing import predicting, proof, reading, training
from bench.testing.probing import check_backend
from bench.testing.workloads import BATCH_SIZE, kit_workloads, layer_workloads
from bench.verify.batches import base_size
from bench.verify.equivalence import Subject, verify

Examine = Callable[[Subject], list[Check]]


@dataclass(frozen=True)
class Target:
    """One device, precision and workload; without a device, the reason why there is none."""

    device: Device | None
    precision: str = ""
    workload: Workload | None = None
    reason: str = ""

    @property
    def label(self) -> str:
        """The test's name for a device, precision and workload."""
        if self.device is None or self.workload is None:
            return "no device"
        return f"{self.device.id}-{self.precision}-{self.workload.name}"


class BackendConformance:
    """Subclass it, name a backend, and pytest proves it on every device, precision and network.

        from bench.testing import BackendConformance

        class TestMine(BackendConformance):
            backend = MyBackend()

    What the device lacks is skipped with its reason: a layer with its name, training where it runs inference only, and
    everything where ``probe()`` finds no device.

    The backend's ``environment`` is set from before its first ``probe()``, as in a worker, and taken back after each test. It
    has its effect only if nothing has used the framework in this process before.
    """

    backend: ClassVar[Backend]
    workloads: ClassVar[Sequence[Workload]] = ()  # besides the kit's own
    layers: ClassVar[Sequence[str]] = tuple(layer_workloads())  # to prove one by one, in the device's best precision
    devices: ClassVar[Sequence[str]] = ()  # ids; empty: all that probe() finds
    precisions: ClassVar[Sequence[str]] = PRECISIONS  # those a device has among these
    threads: ClassVar[int] = 1
    options: ClassVar[Mapping[str, str]] = {}  # the backend's own

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test for each device, precision and workload; layers one by one in a device's best precision."""
        names = metafunc.fixturenames
        if "target" in names:
            targets = self._targets([*kit_workloads(), *self.workloads], best_only=False)
        elif "layer" in names:
            targets = self._targets([layer_workloads()[name] for name in self.layers], best_only=True)
        else:
            return
        metafunc.parametrize("target" if "target" in names else "layer", targets, ids=[t.label for t in targets])

    def _targets(self, workloads: Sequence[Workload], best_only: bool) -> list[Target]:
        try:
            with environment_of(self.backend):
                probe = self.backend.probe()
        except Exception as error:  # test_probe says so; here there is nothing to run on
            probe = Probe(reason=f"probe() raised {type(error).__name__}: {error}")
        devices = [device for device in probe.devices if not self.devices or device.id in self.devices]
        if not devices:
            return [Target(None, reason=probe.reason or f"none of the devices {', '.join(self.devices)} is here")]
        found = []
        for device in devices:
            precisions = [p for p in PRECISIONS if p in device.precisions and p in self.precisions]
            chosen = precisions[:1] if best_only else precisions
            found += [Target(device, precision, workload) for precision in chosen for workload in workloads]
        return found or [Target(None, reason=f"no device computes {' or '.join(self.precisions)}")]

    def test_probe(self) -> None:
        """``probe()`` keeps its contract, whatever it finds."""
        with environment_of(self.backend):
            checks = check_backend(self.backend)
        _report(checks)

    def test_layer(self, layer: Target, tmp_path_factory: Any) -> None:
        """Each layer type alone."""
        self._examine(_verify_layer, layer, tmp_path_factory)

    def test_equivalence(self, target: Target, tmp_path_factory: Any) -> None:
        """Losses, weights, statistics and predictions are the oracle's: what ``bench verify`` checks."""
        self._examine(verify, target, tmp_path_factory)

    def test_training(self, target: Target, tmp_path_factory: Any) -> None:
        """Blocks, host arrays, weights and trainers side by side."""
        self._examine(lambda subject: _all(training.TRAINING, subject), target, tmp_path_factory, trains=True)

    def test_predictions(self, target: Target, tmp_path_factory: Any) -> None:
        """Probabilities, their order, and predictors side by side."""
        self._examine(lambda subject: _all(predicting.PREDICTING, subject), target, tmp_path_factory)

    def test_timed_training(self, target: Target, tmp_path_factory: Any) -> None:
        """The proofs that a training trial of ``bench run`` makes."""
        self._examine(
            lambda subject: proof.timed_training(proof.trial_batches(subject)), target, tmp_path_factory, trains=True
        )

    def test_timed_predictions(self, target: Target, tmp_path_factory: Any) -> None:
        """The proofs that an inference trial of ``bench run`` makes."""
        self._examine(lambda subject: proof.timed_predictions(proof.trial_batches(subject)), target, tmp_path_factory)

    def _examine(self, examine: Examine, target: Target, folders: Any, trains: bool = False) -> None:
        import pytest

        if target.device is None or target.workload is None:
            pytest.skip(target.reason)
        if trains and not target.device.trains:
            pytest.skip(f"device {target.device.id} runs inference only")
        batch = base_size(target.workload.batch_size, BATCH_SIZE)
        settings = Settings(target.precision, batch, self.threads, _cache(folders), self.options)
        subject = Subject(self.backend, target.device.id, target.workload, settings, target.device.trains)
        try:
            with environment_of(self.backend):
                checks = examine(subject)
        except UnsupportedLayer as lacking:
            # Also of a layer that ``layers`` names: it may lack one form of it, such as a biased running variance.
            pytest.skip(str(lacking))
        _report(checks)


class ReaderConformance:
    """Subclass it, name a workload, and pytest examines the workload's data reader.

        from bench.testing import ReaderConformance

        class TestMoles(ReaderConformance):
            workload = moles

    It reads the reader's synthetic images. For a reader of files, override ``make_request``: write some files into the folder and
    name it as ``path``.
    """

    workload: ClassVar[Workload]

    def make_request(self, folder: Path) -> DataRequest:
        """What the reader is asked for. ``folder`` is empty, and belongs to one test."""
        return DataRequest(count=40)

    def test_image_set(self, tmp_path: Path) -> None:
        """Labels, split, size and words of what ``open`` gives."""
        self._examine(reading.check_image_set, tmp_path)

    def test_images(self, tmp_path: Path) -> None:
        """Form and order of what ``read`` gives."""
        self._examine(reading.check_images, tmp_path)

    def test_determinism(self, tmp_path: Path) -> None:
        """The same request gives the same."""
        self._examine(reading.check_determinism, tmp_path)

    def test_files(self, tmp_path: Path) -> None:
        """Files to time preprocessing on, and what ``decode`` gives."""
        self._examine(reading.check_files, tmp_path)

    def test_nowhere(self, tmp_path: Path) -> None:
        """A path where nothing is."""
        self._examine(reading.check_nowhere, tmp_path)

    def _examine(self, examine: Callable[[reading.Reading], list[Check]], folder: Path) -> None:
        import pytest

        own, spare = folder / "given-to-the-reader", folder / "files"  # a name that no description has by chance
        own.mkdir()
        spare.mkdir()
        checks = examine(reading.Reading(self.workload, self.make_request(own), spare))
        if not checks:
            pytest.skip("the reader has no files to decode")
        _report(checks)


@contextmanager
def environment_of(backend: Backend) -> Iterator[None]:
    """Set the variables that the backend declares; afterwards, put back what they were."""
    declared = getattr(backend, "environment", {})
    chosen = (
        {str(k): str(v) for k, v in declared.items()} if isinstance(declared, Mapping) else {}
    )  # check_backend complains
    before = {name: os.environ.get(name) for name in chosen}
    os.environ.update(chosen)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _cache(folders: Any) -> Path:
    """One folder of compiled programs for the whole session, shared by the workers of pytest-xdist."""
    base = Path(folders.getbasetemp())
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "compiled"
    folder.mkdir(exist_ok=True)
    return folder


def _verify_layer(subject: Subject) -> list[Check]:
    return verify(subject) + predicting.check_varied_weights(subject)


def _all(functions: Sequence[Examine], subject: Subject) -> list[Check]:
    return [check for function in functions for check in function(subject)]


def _report(checks: Sequence[Check]) -> None:
    """Fail with a line for each check that did not pass."""
    import pytest

    lines = [describe(check) for check in checks if not check.passed]
    if lines:
        pytest.fail(f"{len(lines)} of {len(checks)} checks failed\n" + "\n".join(lines), pytrace=False)


def describe(check: Check) -> str:
    """One line: what was checked, what was found, what was allowed."""
    figures = "" if check.found is None else f" found {check.found:.3g}, allowed {check.allowed or 0:.3g};"
    return f"  {check.name}:{figures} {check.detail}".rstrip()
