"""The timed stage watches the trial's devices, and the trial keeps what was seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.machine import gpu_sampler
from bench.record.scenarios import scenario
from bench.worker import measure as module
from bench.worker.answers import RankResult
from bench.worker.measure import measure
from bench.worker.workbench import TIMED_STAGE, Workbench
from tests.support import fake_nvml
from tests.support.fake_nvml import scripted


@pytest.fixture(autouse=True)
def only_looks_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_sampler, "INTERVAL", 3600.0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def bench(physical: str = "gpu:0") -> Workbench:
    case = SimpleNamespace(how=scenario("infer", "offline"))
    anything: Any = SimpleNamespace(stage=lambda name: None, backend=None, case=case, salt="")
    return Workbench(anything, anything, anything, None, (physical,))


def test_only_the_timed_stage_is_watched_and_the_last_one_counts(monkeypatch):
    nvml = fake_nvml.install(monkeypatch, nvmlDeviceGetCurrentClocksThrottleReasons=scripted([0x8, 0x8, 0x80, 0x80]))
    one = bench()
    with one.stage("check"):
        pass
    assert nvml.inits == 0
    for _ in range(2):
        with one.stage(TIMED_STAGE):
            pass
    assert one.conditions.disturbances == ["gpu:0 was slowed down: power brake in 2 of 2 looks"]
    with one.stage("check"):
        pass
    assert one.conditions.telemetry["gpu0.looks"] == 2
    assert nvml.opened == 0


def test_a_trial_keeps_what_was_seen(monkeypatch):
    fake_nvml.install(monkeypatch, nvmlDeviceGetCurrentClocksThrottleReasons=lambda handle: 0x40 | 0x4)
    one = bench()

    def phase(given: Workbench) -> RankResult:
        with given.stage(TIMED_STAGE):
            pass
        given.telemetry = module.telemetry()
        return RankResult(stages={})

    monkeypatch.setattr(module, "set_up", lambda job, channel: one)
    monkeypatch.setattr(module, "resolve_name", lambda name: phase)
    found = measure(one.job, one.channel)
    assert list(found.telemetry) == ["before", "during", "after"]
    assert found.telemetry["during"]["gpu0.sm_mhz_median"] == 1980
    assert found.disturbances == ["gpu:0 was slowed down: hardware thermal slowdown in 2 of 2 looks"]
    assert found.clock_limits == ["gpu:0 had its clocks limited: software power cap in 2 of 2 looks"]


@pytest.mark.parametrize(
    ("visible", "physical", "joules"), [("", "gpu:0", 2.0), ("1", "gpu:0", 5.0), ("1,0", "gpu:1", 2.0), ("7", "gpu:0", None)]
)
def test_the_energy_is_that_of_the_trials_own_gpu(monkeypatch, visible, physical, joules):
    """NVML counts all GPUs of the machine, CUDA those that it may see."""
    counted = {0: scripted([1000, 3000]), 1: scripted([1000, 6000])}
    fake_nvml.install(monkeypatch, gpus=2, nvmlDeviceGetTotalEnergyConsumption=lambda handle: counted[handle]())
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    one = bench(physical)
    with one.stage(TIMED_STAGE):
        pass
    found = {name: energy.joules for name, energy in one.energy.items() if name.startswith("gpu:")}
    assert found == ({} if joules is None else {physical: joules})


def test_without_nvml_a_trial_keeps_nothing(monkeypatch):
    fake_nvml.uninstall(monkeypatch)
    one = bench()
    with one.stage(TIMED_STAGE):
        pass
    assert (one.conditions.telemetry, one.conditions.disturbances) == ({}, [])
    assert one.stages[TIMED_STAGE] >= 0
    assert not one.on_host
    assert bench("host").on_host
