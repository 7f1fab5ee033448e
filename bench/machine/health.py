"""What on this machine would spoil a measurement, and the remedy. Read from /proc, /sys and NVML; nothing is changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.machine.clock_reasons import clock_reasons, reasons_in
from bench.machine.gpu import each_gpu, text_of, told_by
from bench.machine.host import cgroup_folders, cgroup_quota, counters, cpu_folders, cpu_ticks, file_text, usable_cores
from bench.record.schema import Finding

STEAL, LOAD, PRESSURE = 0.01, 0.2, 1.0
"""Shares of a core stolen, and busy with other work, and per cent of time stalled for memory, from which on figures suffer."""

HOT = 85.0
"""Degrees Celsius near which GPUs begin to throttle."""


def findings(root: Path = Path("/"), seconds: float = 0.5) -> list[Finding]:
    """Everything found, the gravest first. ``seconds``: how long to watch what other work takes."""
    found = list(_others(root, seconds))
    for look in (_frequency, _quota, _siblings, _throttling, _memory, _huge_pages):
        found += look(root)
    found += [finding for gpu in each_gpu(_gpu) for finding in gpu]
    return sorted(found, key=lambda finding: finding.severity != "warning")


def _warn(name: str, found: str, remedy: str) -> Finding:
    return Finding(name=name, severity="warning", found=found, remedy=remedy)


def _note(name: str, found: str, remedy: str) -> Finding:
    return Finding(name=name, severity="note", found=found, remedy=remedy)


def _others(root: Path, seconds: float) -> Iterator[Finding]:
    """Steal time, and cores that other processes use, while this one sleeps."""
    before = cpu_ticks(root)
    time.sleep(seconds)
    after = cpu_ticks(root)
    if not before or not after:
        return
    spent = [later - earlier for earlier, later in zip(before, after, strict=True)]
    total, cores = sum(spent), len(cpu_folders(root)) or usable_cores()
    if total <= 0:
        return
    steal = spent[7] / total if len(spent) > 7 else 0.0
    busy = (total - spent[3] - spent[4] - (spent[7] if len(spent) > 7 else 0)) / total * cores
    if steal > STEAL:
        yield _warn(
            "steal time", f"the hypervisor gave {100 * steal:.0f} % of the cores' time to other guests",
            "compare only side by side (bench check --against), or use a machine of your own",
        )  # fmt: skip
    if busy > LOAD:
        yield _warn(
            "other work", f"other processes use {busy:.1f} of {cores} cores", "stop them, or wait until they are done"
        )


def _frequency(root: Path) -> Iterator[Finding]:
    governors = {file_text(cpu / "cpufreq/scaling_governor") for cpu in cpu_folders(root)} - {""}
    slow = governors - {"performance"}
    if slow:
        yield _warn(
            "CPU governor",
            f"{', '.join(sorted(slow))}: the clock follows the load",
            "cpupower frequency-set --governor performance",
        )
    turbo_on = file_text(root / "sys/devices/system/cpu/intel_pstate/no_turbo") == "0"
    if turbo_on or file_text(root / "sys/devices/system/cpu/cpufreq/boost") == "1":
        yield _note(
            "frequency boost", "on: the clock depends on temperature and on how many cores work",
            "switch it off for comparisons (no_turbo or boost), on for records",
        )  # fmt: skip


def _quota(root: Path) -> Iterator[Finding]:
    quota = cgroup_quota(root)
    if quota is not None and abs(quota - round(quota)) > 0.01:
        yield _warn(
            "cgroup quota", f"{quota:g} CPUs: a fraction of a core stops all threads for part of every period",
            "give the container whole cores, or pin it (cpuset)",
        )  # fmt: skip
    periods = counters(cgroup_folders(root)[0] / "cpu.stat").get("nr_throttled", 0)
    if periods > 0:
        yield _note("cgroup throttling", f"{periods} periods so far", "raise the CPU limit, or use fewer threads")


def _siblings(root: Path) -> Iterator[Finding]:
    if file_text(root / "sys/devices/system/cpu/smt/active") != "1":
        return
    lists = {file_text(cpu / "topology/thread_siblings_list") for cpu in cpu_folders(root)} - {""}
    shared = [siblings for siblings in lists if "," in siblings or "-" in siblings]
    if shared:
        yield _note(
            "SMT siblings", f"{len(shared)} cores show as two each; two threads of one core share its units",
            "give --threads the number of physical cores, or taskset the run to one sibling of each",
        )  # fmt: skip


def _throttling(root: Path) -> Iterator[Finding]:
    counts = [file_text(cpu / "thermal_throttle/core_throttle_count") for cpu in cpu_folders(root)]
    hot = sum(int(count) > 0 for count in counts if count.isdigit())
    if hot:
        yield _warn("thermal throttling", f"{hot} cores have been slowed down for heat since boot", "look after the cooling")


def _memory(root: Path) -> Iterator[Finding]:
    for line in file_text(root / "proc/pressure/memory").splitlines():
        if line.startswith("some "):
            average = float(line.split("avg60=")[1].split()[0])
            if average > PRESSURE:
                yield _warn(
                    "memory pressure",
                    f"tasks waited for memory {average:.0f} % of the last minute",
                    "free memory, or use less",
                )
    sizes = {
        line.split(":")[0]: int(line.split()[1]) for line in file_text(root / "proc/meminfo").splitlines() if ":" in line
    }
    if sizes.get("SwapTotal", 0) - sizes.get("SwapFree", 0) > 0.1 * max(sizes.get("SwapTotal", 0), 1):
        yield _warn("swap", f"{(sizes['SwapTotal'] - sizes['SwapFree']) / 2**20:.1f} GiB in use", "free memory; swapoff -a")


def _huge_pages(root: Path) -> Iterator[Finding]:
    text = file_text(root / "sys/kernel/mm/transparent_hugepage/enabled")
    if "[never]" in text:
        yield _note(
            "huge pages", "transparent huge pages are off: processes differ by their page layout",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        )  # fmt: skip


def _gpu(nvml: Any, handle: Any) -> list[Finding]:
    """Findings on one GPU; what its driver does not tell is left out."""
    name = text_of(nvml.nvmlDeviceGetName(handle))

    def power() -> Finding | None:
        limit, default = nvml.nvmlDeviceGetEnforcedPowerLimit(handle), nvml.nvmlDeviceGetPowerManagementDefaultLimit(handle)
        if limit >= default:
            return None
        return _warn(
            f"{name}: power cap",
            f"{limit / 1000:.0f} W of {default / 1000:.0f} W",
            "nvidia-smi -pl, or name it in the report",
        )

    def heat() -> Finding | None:
        celsius = nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
        return (
            _warn(f"{name}: temperature", f"{celsius} °C", "let it cool down; look after the cooling")
            if celsius >= HOT
            else None
        )

    def throttled() -> Finding | None:
        slow = [reason.words for reason in reasons_in(clock_reasons(nvml, handle)) if reason.disturbs]
        return _warn(f"{name}: clocks", f"slowed down: {', '.join(slow)}", "look after power and cooling") if slow else None

    def others() -> Finding | None:
        running = {process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)}
        count = len(running - {os.getpid()})  # the doctor holds no context on a GPU, but whoever calls it might
        return _warn(f"{name}: other processes", f"{count} at work on it", "stop them, or wait") if count else None

    def persistence() -> Finding | None:
        off = nvml.nvmlDeviceGetPersistenceMode(handle) == 0
        return (
            _note(f"{name}: persistence mode", "off: the driver starts anew for each process", "nvidia-smi -pm 1")
            if off
            else None
        )

    def ecc() -> Finding | None:
        kind, counter = nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
        errors = nvml.nvmlDeviceGetTotalEccErrors(handle, kind, counter)
        return _warn(f"{name}: ECC", f"{errors} uncorrected errors", "have the board looked at") if errors else None

    looks: dict[str, Callable[[], Finding | None]] = {
        look.__name__: look for look in (power, heat, throttled, others, persistence, ecc)
    }
    return [finding for finding in told_by(nvml, looks).values() if finding is not None]
