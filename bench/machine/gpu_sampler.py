"""What a GPU does while a trial is timed: clocks, power and temperature, what held its clocks down, and who else used it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from statistics import median
from threading import Event, Thread
from typing import Any

from bench.machine.clock_reasons import REASONS, clock_reasons
from bench.machine.gpu import dials, open_nvml, text_of, told_by
from bench.machine.gpu_processes import Family, Others, others
from bench.machine.visible_gpus import Gpu, nvml_index

INTERVAL = 0.5
"""Seconds between two looks."""
PATIENCE = 5.0
"""Seconds to wait for a look that is under way; a driver that hangs must not hang the trial."""


@dataclass
class Readings:
    """The readings of one GPU, look by look."""

    handle: Any
    physical: str | None  # the device of the trial that it is; None where that is not known
    values: dict[str, list[float]] = field(default_factory=dict)
    reasons: list[int] = field(default_factory=list)
    others: list[Others] = field(default_factory=list)
    looks: int = 0


class GpuSampler:
    """Looks at GPUs now, every half second, and at the end. Whatever goes wrong with NVML ends the looking, and nothing else."""

    def __init__(self, nvml: Any, seen: Mapping[int, Readings]) -> None:
        self.seen = seen  # by NVML's index
        self._nvml = nvml
        self._family = Family()
        self._over = Event()
        self._thread: Thread | None = None
        if self._look():
            self._thread = Thread(target=self._run, name="bench-gpu-sampler", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look for a last time, and close NVML."""
        failed = self._over.is_set()
        self._over.set()
        if self._thread is not None:
            self._thread.join(PATIENCE)
            if self._thread.is_alive():
                self.seen = {}  # the look under way may still fill what it has
                return
        if not failed:
            self._look()
        try:
            self._nvml.nvmlShutdown()
        except Exception:  # the driver has gone; what was seen until then is kept
            return

    def _run(self) -> None:
        while not self._over.wait(INTERVAL):
            if not self._look():
                return

    def _look(self) -> bool:
        """Look at every GPU once; False, and the end of it, where nothing more can be seen."""
        try:
            told = [self._look_at(seen) for seen in self.seen.values()]
        except Exception:  # besides NVML's own, what a broken driver or an odd package raises
            told = []
        if not any(told):
            self._over.set()
        return any(told)

    def _look_at(self, seen: Readings) -> bool:
        nvml, handle = self._nvml, seen.handle
        values = told_by(nvml, dials(nvml, handle))
        reasons = told_by(nvml, {"mask": lambda: clock_reasons(nvml, handle)})
        running = told_by(nvml, {"list": lambda: list(nvml.nvmlDeviceGetComputeRunningProcesses(handle))})
        for name, value in values.items():
            seen.values.setdefault(name, []).append(value)
        seen.reasons += reasons.values()
        seen.others += [found for listed in running.values() if (found := others(listed, self._family)) is not None]
        told = bool(values or reasons or running)
        seen.looks += told
        return told


def start_sampler(physical: Sequence[str]) -> GpuSampler | None:
    """Start looking at the GPUs with these names of ``bench.contract.Device.physical``; None, and no thread, where there is no NVML.

    Where a name cannot be mapped to one of NVML's GPUs, all GPUs are looked at, and none is held to be the trial's.
    """
    nvml = open_nvml() if any(name.startswith("gpu:") for name in physical) else None
    if nvml is None:
        return None
    try:
        seen = _chosen(nvml, physical)
    except Exception:  # a GPU or its driver has gone; a trial without readings is better than no trial
        seen = {}
    return GpuSampler(nvml, seen)


def _chosen(nvml: Any, physical: Sequence[str]) -> dict[int, Readings]:
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    gpus = [_identity(nvml, handle) for handle in handles]
    names = {nvml_index(name, gpus, os.environ): name for name in physical}
    if None in names:
        return {index: Readings(handle, None) for index, handle in enumerate(handles)}
    return {index: Readings(handles[index], name) for index, name in names.items() if index is not None}


def _identity(nvml: Any, handle: Any) -> Gpu:
    facts: dict[str, Callable[[], Any]] = {
        "name": lambda: text_of(nvml.nvmlDeviceGetName(handle)),
        "uuid": lambda: text_of(nvml.nvmlDeviceGetUUID(handle)),
        "divided": lambda: nvml.nvmlDeviceGetMigMode(handle)[0] != 0,
    }
    return Gpu(**({"name": "", "uuid": ""} | told_by(nvml, facts)))


def telemetry_of(seen: Mapping[int, Readings]) -> dict[str, float]:
    """Return minimum, median and maximum of each reading, and how many looks there were, by ``gpuN.fact`` with NVML's index N."""
    found: dict[str, float] = {}
    for index, gpu in seen.items():
        for name, values in gpu.values.items():
            sides = {"min": min(values), "median": median(values), "max": max(values)}
            found |= {f"gpu{index}.{name}_{side}": value for side, value in sides.items()}
        if gpu.reasons:
            found[f"gpu{index}.throttle_reasons"] = float(reduce(or_, gpu.reasons))
        if gpu.others:
            found[f"gpu{index}.other_processes"] = float(max(one.processes for one in gpu.others))
        memory = [one.memory for one in gpu.others if one.memory is not None]
        if memory:
            found[f"gpu{index}.memory_used_by_others"] = float(max(memory))
        if gpu.looks:
            found[f"gpu{index}.looks"] = float(gpu.looks)
    return found


def slowdowns(gpu: Readings, disturbing: bool) -> list[str]:
    """Return a sentence for each reason that held the clocks of a trial's GPU down, of those that disturb or of the others."""
    what = "was slowed down" if disturbing else "had its clocks limited"
    sentences = []
    for bit, reason in REASONS.items():
        count = sum(bool(mask & bit) for mask in gpu.reasons)
        if count and reason.disturbs == disturbing and gpu.physical is not None:
            sentences.append(f"{gpu.physical} {what}: {reason.words} in {count} of {len(gpu.reasons)} looks")
    return sentences


def intrusions(gpu: Readings) -> list[str]:
    """Return a sentence on the processes of others that used a trial's GPU."""
    most = max((one.processes for one in gpu.others), default=0)
    if not most or gpu.physical is None:
        return []
    processes = "1 other process" if most == 1 else f"{most} other processes"
    looks = sum(one.processes > 0 for one in gpu.others)
    return [f"{processes} used {gpu.physical} while samples were taken, in {looks} of {len(gpu.others)} looks"]
