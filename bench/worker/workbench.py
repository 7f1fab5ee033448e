"""What every phase's measurement works with: the case, its device, and the stages that are timed."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.contract import Backend, Predictor, Settings, Trainer, Workload
from bench.errors import NotComparableError, PluginError
from bench.machine.conditions import HOST, Conditions, watched
from bench.machine.energy import idle_watts, read_counters, spent
from bench.machine.gpu import sample_gpus
from bench.machine.other_work import OtherWork
from bench.record.schema import Energy
from bench.verify.batches import Batch
from bench.verify.equivalence import Subject
from bench.verify.pace import TimedRun
from bench.worker.answers import RankResult
from bench.worker.channel import BRIEFLY, Channel
from bench.worker.checked import name_of
from bench.worker.feed import Feed
from bench.worker.jobs import Blocks, Measure
from bench.worker.offered import optional_fault
from bench.worker.plugins import find_backend, find_workload, settings_of
from bench.worker.timing import steadiness

TIMED_STAGE = "steady"

SEED_OF_UNTIMED = 1_000_003
"""Added to a trial's seed, for the batches of untimed steps."""


@dataclass
class Workbench:
    """One trial in progress."""

    job: Measure
    channel: Channel
    workload: Workload
    backend: Backend | None
    physical: tuple[str, ...] = (HOST,)  # of the rank's device: see ``bench.contract.Device``
    precisions: tuple[str, ...] = ()  # that the rank's device computes in
    stages: dict[str, float] = field(default_factory=dict)
    telemetry: dict[str, float | None] = field(default_factory=dict)  # right after the last timed block
    idle: dict[str, float] = field(default_factory=dict)  # watts by counter, before anything was loaded
    energy: dict[str, Energy] = field(default_factory=dict)  # of the timed blocks
    conditions: Conditions = field(default_factory=Conditions)  # while the timed blocks ran
    brief: bool = False  # whether few images are enough to check this trial: the parent says so when all has been timed
    _step: Callable[[], object] | None = None  # one untimed step, or batch, of what is measured
    _untimed: int = 0  # how many were made

    @property
    def on_host(self) -> bool:
        """Whether the device is the host's processor."""
        return self.physical[0] == HOST

    @property
    def folder(self) -> Path:
        """What Prepare filled."""
        return Path(self.job.prepared)

    @property
    def settings(self) -> Settings:
        """The case's settings in the contract's form."""
        return settings_of(self.job)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and tell the parent of it."""
        self.channel.stage(name)
        with watched(self.physical) if name == TIMED_STAGE else nullcontext(self.conditions) as self.conditions:
            counters = read_counters() if name == TIMED_STAGE else {}
            started = time.perf_counter()
            yield
            elapsed = time.perf_counter() - started
            joules = spent(counters, read_counters()) if counters else {}
        if counters:
            self._count(joules, elapsed)
        self.stages[name] = self.stages.get(name, 0.0) + elapsed

    def _count(self, joules: dict[str, float], seconds: float) -> None:
        """The last timed stage is the one that counts, here and for the conditions: a pilot has several.

        A GPU's counter goes by NVML's index. It is kept under the name of the trial's device, and those of other GPUs are left out.
        """
        names = {name: self.conditions.gpus.get(name) if name.startswith("gpu:") else name for name in joules}
        self.energy = {
            own: Energy(joules=joules[name], seconds=seconds, idle_watts=self.idle.get(name))
            for name, own in names.items()
            if own is not None
        }

    def alive(self) -> None:
        """Work of unknown length goes on."""
        self.channel.alive()

    def turn(self) -> None:
        """Before a sample, and before the checks: wait for a turn where another worker is alive too.

        After another one's turn, caches and threads are no longer as a step leaves them. One step is made that nobody times.
        """
        if self.job.in_turns and self.channel.turn() and self._step is not None:
            self._step()
            self._untimed += 1

    def timed(self) -> None:
        """The last timed block is over: look at the devices before they cool down, and wait for the turn to check."""
        self.telemetry = telemetry()
        self.turn()
        self._step = None  # it holds what was timed, and with it the device's memory

    def hear_how_to_check(self, measured: RankResult) -> None:
        """Ask the parent whether to check briefly; only when all has been timed."""
        self.brief = measured.brief = self.channel.asked_how_to_check() == BRIEFLY

    def timed_run(self, steps: int, seconds: float, done: int = 0, ordinary: Callable[[], Batch] | None = None) -> TimedRun:
        """Return what was timed, for the checks: samples of so many ``steps`` and typically so many ``seconds``."""
        size, busy, disturbed = self.job.case.batch_size, self.channel.busy, OtherWork().busy
        return TimedRun(size, steps, seconds, done + self._untimed, ordinary, self.alive, busy, disturbed, self.brief)

    def subject(self, workload: Workload) -> Subject:
        """Return what the case proves, for proofs that build it once more."""
        assert self.backend is not None
        return Subject(self.backend, self.job.place.device, workload, self.settings)

    def compile(self, made: Trainer | Predictor) -> Literal["", "cold", "cached"]:
        """Build the executables as a stage of its own, where the backend has one; which kind it was."""
        if self.job.in_turns:
            self._step = self._untimed_step(made)
        if not hasattr(made, "compile"):
            return ""
        kind = self.compilation()
        with self.stage("compile"):
            made.compile()
        return kind

    def compilation(self) -> Literal["cold", "cached"]:
        """Which kind a compilation that begins now is: cached where an earlier process of this case compiled, and left something."""
        folder = self.settings.cache_dir
        kept = folder is not None and any(place.is_file() for place in folder.rglob("*"))
        return "cached" if self.job.cached and kept else "cold"

    def _untimed_step(self, made: Any) -> Callable[[], object]:
        """Return a function that makes one optimizer step, or predicts one batch, on a batch of its own."""
        feed = Feed(self.folder, self.job.case.batch_size, self.job.seed + SEED_OF_UNTIMED)
        if self.job.case.how.builds == "trainer":
            return lambda: made.wait(made.run([made.stage(*feed.next())]))
        return lambda: made.wait(made.run(made.stage(feed.next()[0])))


def set_up(job: Measure, channel: Channel) -> Workbench:
    """Import what the case needs, and find its device."""
    begun = time.monotonic()
    idle = idle_watts()
    looked = time.monotonic() - begun
    channel.stage("import")
    workload = find_workload(job.workload, job.case.workload, job.case.size)
    backend = None if job.backend is None else find_backend(job.backend, job.case.backend)
    physical: tuple[str, ...] = (HOST,)
    precisions: tuple[str, ...] = ()
    if backend is not None:
        found = {device.id: device for device in backend.probe().devices}
        if job.place.device not in found:
            raise NotComparableError(f"device {job.place.device} has gone; {backend.name} now finds {list(found)}")
        device = found[job.place.device]
        physical, precisions = (device.physical,), tuple(device.precisions)
    bench = Workbench(job, channel, workload, backend, physical, precisions, idle=idle)
    # Counted from the parent's spawn, so that starting the interpreter is in it; looking at an idle machine is not.
    bench.stages["import"] = time.monotonic() - job.spawned - looked
    return bench


def note_made(measured: RankResult, made: Trainer | Predictor) -> None:
    """Put into an answer how a trainer or predictor was lowered, and what memory it took. Raises PluginError for other types."""
    if fault := optional_fault(made):
        raise PluginError(f"{name_of(made)}: {fault}")
    measured.lowering = getattr(made, "lowering", "")
    measured.host_memory = peak_memory()
    measured.device_memory = int(getattr(made, "device_memory", lambda: 0)())


def note_samples(measured: RankResult, blocks: Blocks, samples: list[float], images_per_step: int) -> None:
    """Put a trial's samples into its answer, in seconds each, cut as ``blocks`` says."""
    measured.samples, measured.warmup, measured.steps_per_sample = samples, blocks.warmup, blocks.steps
    measured.images_per_sample = blocks.steps * images_per_step
    measured.steady = steadiness(samples, blocks)


def peak_memory() -> int:
    """Peak resident bytes of this process (getrusage counts KiB on Linux, bytes on macOS)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def telemetry() -> dict[str, float | None]:
    """What the devices are doing just now."""
    return {**sample_gpus()}
