"""Counters of energy: NVIDIA's through NVML, and the processor's RAPL domains through Linux's powercap files.

Both count joules since some time in the past, so a difference of two readings is measured energy, not an estimate from a power
that was looked at now and then. Virtual machines seldom have RAPL, and since Linux 5.10 its counters are root's alone
(CVE-2020-8694); what cannot be read is left out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.machine.gpu import each_gpu, told_by

POWERCAP = Path("/sys/class/powercap")
IDLE_SECONDS = 0.3


class Counter(NamedTuple):
    """A reading of one counter."""

    joules: float
    wraps_at: float  # the counter begins again from 0 there; 0: never


def read_counters(powercap: Path = POWERCAP) -> dict[str, Counter]:
    """Every counter that can be read, by ``gpu:0`` in NVML's order, ``package-0``, ``dram-0``; empty where there is none."""
    found = _rapl(powercap)
    for index, joules in enumerate(each_gpu(_gpu_joules)):
        if joules is not None:
            found[f"gpu:{index}"] = Counter(joules, 0.0)
    return found


def spent(before: Mapping[str, Counter], after: Mapping[str, Counter]) -> dict[str, float]:
    """Joules between two readings, by counter; one that wrapped around did so once."""
    found = {}
    for name, end in after.items():
        if name in before:
            joules = end.joules - before[name].joules
            if joules < 0 and end.wraps_at > 0:
                joules += end.wraps_at
            if joules >= 0:
                found[name] = joules
    return found


def idle_watts(seconds: float = IDLE_SECONDS, powercap: Path = POWERCAP) -> dict[str, float]:
    """What is drawn while this process does nothing for a moment, by counter; no time is spent where there is no counter."""
    before = read_counters(powercap)
    if not before:
        return {}
    started = time.perf_counter()
    time.sleep(seconds)
    joules = spent(before, read_counters(powercap))
    elapsed = time.perf_counter() - started
    return {name: value / elapsed for name, value in joules.items()}


def _gpu_joules(nvml: Any, handle: Any) -> float | None:
    """Return what a GPU has used since some time in the past; None before Volta, where there is no counter."""
    return told_by(nvml, {"joules": lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000}).get("joules")


def _rapl(powercap: Path) -> dict[str, Counter]:
    """Packages, and the memory domain inside each; other domains are part of their package."""
    found: dict[str, Counter] = {}
    for zone in sorted(powercap.glob("intel-rapl:*")):
        try:
            name = (zone / "name").read_text().strip()
            counter = Counter(
                int((zone / "energy_uj").read_text()) / 1e6, int((zone / "max_energy_range_uj").read_text()) / 1e6
            )
        except (OSError, ValueError):
            continue
        numbers = zone.name.split(":")[1:]
        if name.startswith("package"):
            found[name] = counter
        elif name == "dram":
            found[f"dram-{numbers[0]}"] = counter
    return found
