"""What the doctor sees on machines made of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.machine import gpu, health
from bench.machine.health import findings
from tests.support import fake_nvml
from tests.support.roots import write


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "each_gpu", lambda look: [])


def names(root: Path) -> set[str]:
    return {finding.name for finding in findings(root, seconds=0)}


def test_a_machine_that_tells_nothing_has_no_findings(tmp_path):
    assert findings(tmp_path, seconds=0) == []


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave"}, "CPU governor"),
        (
            {
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
                "sys/devices/system/cpu/cpufreq/boost": "1",
            },
            "frequency boost",
        ),
        ({"proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/cpu.max": "150000 100000"}, "cgroup quota"),
        (
            {"proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/cpu.stat": "usage_usec 5\nnr_throttled 17\n"},
            "cgroup throttling",
        ),
        (
            {"sys/devices/system/cpu/smt/active": "1", "sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0,4"},
            "SMT siblings",
        ),
        ({"sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "3"}, "thermal throttling"),
        ({"proc/pressure/memory": "some avg10=9.00 avg60=12.50 avg300=1 total=9\n"}, "memory pressure"),
        ({"proc/meminfo": "SwapTotal: 1000 kB\nSwapFree: 100 kB\n"}, "swap"),
        ({"sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]"}, "huge pages"),
    ],
)
def test_each_trouble_is_found_with_a_remedy(tmp_path, files, name):
    (finding,) = findings(write(tmp_path, files), seconds=0)
    assert finding.name == name
    assert finding.found
    assert finding.remedy


def test_a_healthy_machine_is_left_in_peace(tmp_path):
    write(
        tmp_path,
        {
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
            "sys/devices/system/cpu/cpufreq/boost": "0",
            "proc/self/cgroup": "0::/job\n",
            "sys/fs/cgroup/job/cpu.max": "200000 100000",
            "sys/devices/system/cpu/smt/active": "0",
            "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0 total=9\n",
            "proc/meminfo": "SwapTotal: 0 kB\nSwapFree: 0 kB\n",
            "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
        },
    )
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("cpu  100 0 0 900 0 0 0 0 0 0", "cpu  100 0 0 1090 0 0 0 10 0 0", {"steal time"}),
        ("cpu  100 0 0 900 0 0 0 0 0 0", "cpu  200 0 0 1000 0 0 0 0 0 0", {"other work"}),
        ("cpu  100 0 0 900 0 0 0 0 0 0", "cpu  101 0 0 1099 0 0 0 0 0 0", set()),
    ],
)
def test_what_others_take_is_seen_over_time(tmp_path, monkeypatch, before, after, found):
    write(tmp_path, {"proc/stat": before, "sys/devices/system/cpu/cpu0/x": "", "sys/devices/system/cpu/cpu1/x": ""})
    monkeypatch.setattr(health.time, "sleep", lambda seconds: write(tmp_path, {"proc/stat": after}))
    assert {finding.name for finding in findings(tmp_path)} == found


def test_warnings_come_first(tmp_path):
    write(
        tmp_path,
        {
            "sys/kernel/mm/transparent_hugepage/enabled": "[never]",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave",
        },
    )
    assert [finding.severity for finding in findings(tmp_path, seconds=0)] == ["warning", "note"]


def test_this_machine_can_be_looked_at():
    for finding in findings(seconds=0.05):
        assert finding.severity in {"warning", "note"}


def gpu_findings(monkeypatch: pytest.MonkeyPatch, **functions: object) -> dict[str, str]:
    fake_nvml.install(monkeypatch, **functions)
    return {finding.name: finding.found for finding in gpu.each_gpu(health._gpu)[0]}


def test_the_doctor_counts_the_processes_of_others(monkeypatch):
    def found(*pids: int) -> dict[str, str]:
        running = [fake_nvml.process(pid) for pid in pids]
        return gpu_findings(monkeypatch, nvmlDeviceGetComputeRunningProcesses=lambda handle: running)

    assert found() == {}
    assert found(os.getpid()) == {}
    # A process with several MIG instances is in the list once for each.
    assert found(os.getpid(), 1_000_001, 1_000_002, 1_000_002) == {"NVIDIA Test: other processes": "2 at work on it"}


def test_the_doctor_names_what_slows_a_gpu_down_but_not_how_it_works_under_full_load(monkeypatch):
    def found(mask: int) -> dict[str, str]:
        return gpu_findings(monkeypatch, nvmlDeviceGetCurrentClocksThrottleReasons=lambda handle: mask)

    assert found(0x4 | 0x2 | 0x1) == {}
    assert found(0x40 | 0x4) == {"NVIDIA Test: clocks": "slowed down: hardware thermal slowdown"}
