"""What slowed the host's processor down while a trial was timed: heat, and the CPU limit of its cgroup."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bench.machine.host import ROOT, cgroup_folders, counters, cpu_folders, file_text

LIMITED = 0.01
"""Share of a core for which the cgroup's limit may stop threads before a figure counts as disturbed, as with stolen time."""


class HostThrottling(NamedTuple):
    """Counters since boot, or since the cgroup was made."""

    heat: dict[str, int]  # by core: how often it was slowed down for heat
    periods: int  # of the cgroup and its parents, in which their limit stopped threads
    seconds: float  # for which it did, added up over cores


def read_host_throttling(root: Path = ROOT) -> HostThrottling:
    """Return the counters; what cannot be read counts as 0."""
    texts = {cpu.name: file_text(cpu / "thermal_throttle/core_throttle_count") for cpu in cpu_folders(root)}
    heat = {name: int(text) for name, text in texts.items() if text.isdecimal()}
    periods, seconds = 0, 0.0
    for folder in dict.fromkeys(cgroup_folders(root)):
        counts = counters(folder / "cpu.stat")
        periods += counts.get("nr_throttled", 0)
        # Version 2 of cgroups counts microseconds, version 1 nanoseconds.
        seconds += counts.get("throttled_usec", 0) / 1e6 + counts.get("throttled_time", 0) / 1e9
    return HostThrottling(heat, periods, seconds)


def host_disturbances(before: HostThrottling, after: HostThrottling, elapsed: float) -> list[str]:
    """Return a sentence on each thing that slowed the processor down between two readings, ``elapsed`` seconds apart."""
    sentences = []
    hot = sum(count > before.heat.get(name, count) for name, count in after.heat.items())
    if hot:
        sentences.append(f"{hot} {'core was' if hot == 1 else 'cores were'} slowed down for heat")
    periods, seconds = after.periods - before.periods, after.seconds - before.seconds
    if periods > 0 and seconds > LIMITED * elapsed:
        sentences.append(f"the cgroup's CPU limit stopped threads for {seconds:.2g} s, in {periods} of its periods")
    return sentences
