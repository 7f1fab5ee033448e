"""What slows the host's processor down during a trial, on machines made of files."""

from __future__ import annotations

import pytest

from bench.machine import conditions
from bench.machine.conditions import watched
from bench.machine.host_throttling import HostThrottling, host_disturbances, read_host_throttling
from tests.support.roots import write

CORE = "sys/devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"


def test_a_machine_that_tells_nothing_slows_nothing_down(tmp_path):
    assert read_host_throttling(tmp_path) == HostThrottling({}, 0, 0.0)
    assert host_disturbances(read_host_throttling(tmp_path), read_host_throttling(tmp_path), 1.0) == []


@pytest.mark.parametrize(
    "files",
    [
        {  # version 2: the limit is the parent's
            "proc/self/cgroup": "0::/job/step\n",
            "sys/fs/cgroup/job/step/cpu.stat": "usage_usec 9\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
            "sys/fs/cgroup/job/cpu.stat": "usage_usec 9\nnr_periods 40\nnr_throttled 7\nthrottled_usec 250000\n",
        },
        {  # version 1
            "proc/self/cgroup": "2:cpuset:/x\n1:cpu,cpuacct:/job\n0::/\n",
            "sys/fs/cgroup/cpu/job/cpu.stat": "nr_periods 40\nnr_throttled 7\nthrottled_time 250000000\n",
        },
    ],
)
def test_both_versions_of_cgroups_are_read(tmp_path, files):
    after = read_host_throttling(write(tmp_path, files))
    assert after == HostThrottling({}, 7, 0.25)
    before = HostThrottling({}, 5, 0.05)
    assert host_disturbances(before, after, 2.0) == ["the cgroup's CPU limit stopped threads for 0.2 s, in 2 of its periods"]
    assert host_disturbances(before, after, 60.0) == []  # too little to matter
    assert host_disturbances(after, after, 2.0) == []


def test_only_heat_during_the_trial_counts(tmp_path):
    before = read_host_throttling(write(tmp_path, {CORE.format(0): "3\n", CORE.format(1): "0\n", CORE.format(2): "?\n"}))
    assert host_disturbances(before, before, 1.0) == []
    one = read_host_throttling(write(tmp_path, {CORE.format(0): "4\n"}))
    assert host_disturbances(before, one, 1.0) == ["1 core was slowed down for heat"]
    two = read_host_throttling(write(tmp_path, {CORE.format(1): "9\n"}))
    assert host_disturbances(before, two, 1.0) == ["2 cores were slowed down for heat"]


def test_a_trial_on_the_host_is_watched(monkeypatch):
    readings = iter([HostThrottling({"cpu0": 1}, 0, 0.0), HostThrottling({"cpu0": 2}, 0, 0.0)])
    monkeypatch.setattr(conditions, "read_host_throttling", lambda: next(readings))
    with watched(["host"]) as found:
        assert found.disturbances == []
    assert found.disturbances == ["1 core was slowed down for heat"]
    assert found.telemetry == {}
