"""Under which conditions a trial's samples were taken: what the devices did, and what disturbed them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.machine.gpu_sampler import intrusions, slowdowns, start_sampler, telemetry_of
from bench.machine.host_throttling import host_disturbances, read_host_throttling

HOST = "host"


@dataclass
class Conditions:
    """What was seen, in the form that a record keeps."""

    telemetry: dict[str, float | None] = field(default_factory=dict)  # by "gpu0.sm_mhz_min", with NVML's index
    disturbances: list[str] = field(default_factory=list)  # each makes the figure doubtful
    clock_limits: list[str] = field(default_factory=list)  # each is normal, or was set up
    gpus: dict[str, str] = field(default_factory=dict)  # by "gpu:N" with NVML's index: the trial's device that it is


@contextmanager
def watched(physical: Sequence[str]) -> Iterator[Conditions]:
    """Watch a trial's devices while the body runs; what was seen is filled in afterwards.

    ``physical`` are the names of ``bench.contract.Device.physical``. On the host, counters are read before and after. GPUs are
    looked at by a thread; where a GPU cannot be found in NVML's list, nothing is said to disturb it. Nothing here raises.
    """
    found = Conditions()
    if HOST in physical:
        before, started = read_host_throttling(), time.perf_counter()
        yield found
        elapsed = time.perf_counter() - started
        found.disturbances += host_disturbances(before, read_host_throttling(), elapsed)
        return
    sampler = start_sampler(physical)
    try:
        yield found
    finally:
        if sampler is not None:
            sampler.stop()
            found.telemetry |= telemetry_of(sampler.seen)
            found.gpus |= {f"gpu:{index}": gpu.physical for index, gpu in sampler.seen.items() if gpu.physical is not None}
            for gpu in sampler.seen.values():
                found.disturbances += slowdowns(gpu, disturbing=True) + intrusions(gpu)
                found.clock_limits += slowdowns(gpu, disturbing=False)
