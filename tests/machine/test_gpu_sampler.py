"""A GPU looked at while a trial is timed: scripted readings, and every way in which NVML fails."""

from __future__ import annotations

import os
import threading

import pytest

from bench.machine import gpu_sampler
from bench.machine.conditions import watched
from tests.support import fake_nvml
from tests.support.fake_nvml import NVMLError, process, scripted

STRANGER = 2**22 + 1
GONE = NVMLError("GPU is lost")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_sampler, "INTERVAL", 3600.0)  # only the looks at both ends
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def sampling() -> bool:
    return any(thread.name == "bench-gpu-sampler" for thread in threading.enumerate())


def joined() -> None:
    """Wait until the sampler's thread has ended."""
    for thread in threading.enumerate():
        if thread.name == "bench-gpu-sampler":
            thread.join(60)


def looks_at_once(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """Make the thread look so many times without a pause, and end."""
    left = iter(range(looks))

    class Scripted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return self.is_set() or next(left, None) is None

    monkeypatch.setattr(gpu_sampler, "Event", Scripted)


def test_readings_become_minimum_median_and_maximum(monkeypatch):
    clocks = scripted([1980, 1980, 1500, 1500, 1200, 1200, 1980, 1980])  # of SM and memory in turns
    nvml = fake_nvml.install(
        monkeypatch,
        nvmlDeviceGetClockInfo=clocks,
        nvmlDeviceGetPowerUsage=scripted([300_000, 700_000, 690_000, 700_000]),
        nvmlDeviceGetTemperature=scripted([50, 60, 70, 80]),
        nvmlDeviceGetCurrentClocksThrottleReasons=scripted([0, 0x4, 0x4 | 0x20, 0x1]),
    )
    looks_at_once(monkeypatch, 2)
    with watched(["gpu:0"]) as conditions:
        joined()
    assert conditions.telemetry == {
        "gpu0.sm_mhz_min": 1200, "gpu0.sm_mhz_median": 1740, "gpu0.sm_mhz_max": 1980,
        "gpu0.memory_mhz_min": 1200, "gpu0.memory_mhz_median": 1740, "gpu0.memory_mhz_max": 1980,
        "gpu0.watts_min": 300, "gpu0.watts_median": 695, "gpu0.watts_max": 700,
        "gpu0.celsius_min": 50, "gpu0.celsius_median": 65, "gpu0.celsius_max": 80,
        "gpu0.throttle_reasons": 0x25, "gpu0.looks": 4,
    }  # fmt: skip
    assert conditions.disturbances == ["gpu:0 was slowed down: thermal slowdown by software in 1 of 4 looks"]
    assert conditions.clock_limits == ["gpu:0 had its clocks limited: software power cap in 2 of 4 looks"]
    assert (nvml.inits, nvml.opened) == (1, 0)
    assert not sampling()


def test_the_thread_looks_while_the_work_goes_on(monkeypatch):
    monkeypatch.setattr(gpu_sampler, "INTERVAL", 0.001)
    looks = threading.Semaphore(0)
    fake_nvml.install(monkeypatch, nvmlDeviceGetPowerUsage=lambda handle: looks.release() or 1000)
    with watched(["gpu:0"]) as conditions:
        assert sampling()
        for _ in range(5):
            assert looks.acquire(timeout=60)
    assert conditions.telemetry["gpu0.looks"] >= 5
    assert conditions.disturbances == []


def test_a_processs_number_that_is_not_ours_is_a_disturbance(monkeypatch):
    own = process(os.getpid(), 500)
    lists = [[own], [own, process(STRANGER, 300), process(STRANGER + 1, 20)]]
    fake_nvml.install(monkeypatch, nvmlDeviceGetComputeRunningProcesses=scripted(lists))
    with watched(["gpu:0"]) as conditions:
        pass
    assert conditions.disturbances == ["2 other processes used gpu:0 while samples were taken, in 1 of 2 looks"]
    assert conditions.telemetry["gpu0.other_processes"] == 2
    assert conditions.telemetry["gpu0.memory_used_by_others"] == 320


def test_only_the_trials_own_gpu_counts_and_is_called_as_the_framework_calls_it(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-222,0")
    fake_nvml.install(monkeypatch, 3, nvmlDeviceGetCurrentClocksThrottleReasons=lambda handle: 0x8 if handle == 2 else 0x80)
    with watched(["gpu:0"]) as conditions:
        pass
    assert conditions.disturbances == ["gpu:0 was slowed down: hardware slowdown in 2 of 2 looks"]
    assert {name.split(".")[0] for name in conditions.telemetry} == {"gpu2"}


def test_a_gpu_that_cannot_be_mapped_disturbs_nothing_but_all_are_recorded(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1")
    own = [process(os.getpid()), process(STRANGER)]
    fake_nvml.install(
        monkeypatch,
        2,
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda handle: 0xFF,
        nvmlDeviceGetComputeRunningProcesses=lambda handle: own,
    )
    with watched(["gpu:0"]) as conditions:
        pass
    assert (conditions.disturbances, conditions.clock_limits) == ([], [])
    assert {name.split(".")[0] for name in conditions.telemetry} == {"gpu0", "gpu1"}


def test_what_one_gpu_does_not_tell_is_left_out(monkeypatch):
    fake_nvml.install(
        monkeypatch, nvmlDeviceGetPowerUsage=scripted([GONE]), nvmlDeviceGetComputeRunningProcesses=None,
        nvmlDeviceGetCurrentClocksThrottleReasons=None,
    )  # fmt: skip
    with watched(["gpu:0"]) as conditions:
        pass
    assert conditions.telemetry["gpu0.looks"] == 2
    assert not any("watts" in name or "reasons" in name for name in conditions.telemetry)


@pytest.mark.parametrize("trouble", [GONE, ValueError("no such handle")])
def test_an_nvml_that_fails_midway_ends_the_looking_and_nothing_else(monkeypatch, trouble):
    fails = {
        name: scripted([read, trouble])
        for name, read in (("nvmlDeviceGetPowerUsage", 1000), ("nvmlDeviceGetTemperature", 50))
    }
    nvml = fake_nvml.install(
        monkeypatch, **fails, nvmlDeviceGetClockInfo=None, nvmlDeviceGetComputeRunningProcesses=None,
        nvmlDeviceGetCurrentClocksThrottleReasons=None,
    )  # fmt: skip
    monkeypatch.setattr(gpu_sampler, "INTERVAL", 0.001)
    with watched(["gpu:0"]) as conditions:
        joined()
        assert not sampling()
    assert conditions.telemetry["gpu0.looks"] == 1
    assert conditions.telemetry["gpu0.watts_max"] == 1
    assert nvml.opened == 0


def test_without_nvml_there_is_no_thread(monkeypatch):
    fake_nvml.uninstall(monkeypatch)
    with watched(["gpu:0"]) as conditions:
        assert not sampling()
    assert conditions.telemetry == {}


@pytest.mark.parametrize(
    "functions",
    [
        {"nvmlInit": scripted([GONE])},
        {"nvmlDeviceGetCount": scripted([GONE])},
        {"nvmlDeviceGetCount": lambda: 0},
        {"nvmlDeviceGetHandleByIndex": scripted([OSError("broken")])},
        {"nvmlShutdown": scripted([GONE])},
    ],
)
def test_an_nvml_that_does_not_work_never_fails_a_trial(monkeypatch, functions):
    fake_nvml.install(monkeypatch, **functions)
    with watched(["gpu:0"]) as conditions:
        assert sampling() == ("nvmlShutdown" in functions)
    assert conditions.disturbances == []


@pytest.mark.parametrize("physical", ["host", "tpu:0"])
def test_other_devices_than_gpus_are_left_alone(monkeypatch, physical):
    nvml = fake_nvml.install(monkeypatch)
    with watched([physical]):
        assert not sampling()
    assert nvml.inits == 0


def test_a_driver_that_hangs_does_not_hang_the_trial(monkeypatch):
    monkeypatch.setattr(gpu_sampler, "INTERVAL", 0.001)
    monkeypatch.setattr(gpu_sampler, "PATIENCE", 0.01)
    hanging, released = threading.Event(), threading.Event()
    first = iter([1000])

    def power(handle: int) -> int:
        if (value := next(first, None)) is not None:
            return value
        hanging.set()
        released.wait(60)
        return 1000

    fake_nvml.install(monkeypatch, nvmlDeviceGetPowerUsage=power)
    with watched(["gpu:0"]) as conditions:
        assert hanging.wait(60)
    released.set()
    assert conditions.telemetry == {}, "a look that still goes on may change what was seen"


def test_an_error_of_the_trial_ends_the_sampler_and_goes_on(monkeypatch):
    fake_nvml.install(monkeypatch)
    with pytest.raises(ZeroDivisionError), watched(["gpu:0"]):
        assert 1 / 0
    assert not sampling()
