"""Energy counters: differences, wrapping around, and machines that have none."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from bench.machine import energy
from bench.machine.energy import Counter, idle_watts, read_counters, spent


def zone(folder, name: str, label: str, microjoules: object, most: int = 1_000_000_000):
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "name").write_text(label + "\n")
    (place / "energy_uj").write_text(f"{microjoules}\n")
    (place / "max_energy_range_uj").write_text(f"{most}\n")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(energy, "each_gpu", lambda one: [])


def test_packages_and_memory_are_counted_and_cores_are_not_counted_twice(tmp_path, no_gpu):
    zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 3_000_000)
    zone(tmp_path, "intel-rapl:0:1", "dram", 1_000_000)
    zone(tmp_path, "intel-rapl:1", "package-1", 7_000_000)
    assert read_counters(tmp_path) == {
        "package-0": Counter(5.0, 1000.0), "dram-0": Counter(1.0, 1000.0), "package-1": Counter(7.0, 1000.0),
    }  # fmt: skip


def test_a_counter_that_wraps_around():
    assert spent({"package-0": Counter(990.0, 1000.0)}, {"package-0": Counter(15.0, 1000.0)}) == {"package-0": 25.0}
    assert spent({"gpu:0": Counter(990.0, 0.0)}, {"gpu:0": Counter(15.0, 0.0)}) == {}  # a driver that was loaded again
    assert spent({}, {"gpu:0": Counter(15.0, 0.0)}) == {}


@pytest.mark.parametrize("content", ["", "soon"])
def test_what_cannot_be_read_is_left_out(tmp_path, no_gpu, content):
    zone(tmp_path, "intel-rapl:0", "package-0", content)
    assert read_counters(tmp_path) == {}
    assert idle_watts(60.0, tmp_path) == {}  # at once
    assert read_counters(tmp_path / "nowhere") == {}


def test_nvml_counts_millijoules_and_old_gpus_count_none(tmp_path, monkeypatch):
    class NVMLError(Exception):
        pass

    def total(handle: int) -> int:
        if handle == 1:
            raise NVMLError
        return 2500

    nvml = SimpleNamespace(
        NVMLError=NVMLError, nvmlInit=lambda: None, nvmlShutdown=lambda: None, nvmlDeviceGetCount=lambda: 3,
        nvmlDeviceGetHandleByIndex=lambda index: index, nvmlDeviceGetTotalEnergyConsumption=total,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert read_counters(tmp_path) == {"gpu:0": Counter(2.5, 0.0), "gpu:2": Counter(2.5, 0.0)}
