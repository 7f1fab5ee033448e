"""NVML's bits in words, under the newer and the older name of the function that gives them."""

from __future__ import annotations

import pytest

from bench.machine.clock_reasons import REASONS, clock_reasons, reasons_in
from tests.support import fake_nvml


def test_a_mask_is_named_bit_by_bit():
    assert reasons_in(0x1) == []  # idle
    assert [reason.words for reason in reasons_in(0x4 | 0x20 | 0x1)] == [
        "software power cap",
        "thermal slowdown by software",
    ]
    assert [reason.words for reason in reasons_in(0x1FF) if reason.disturbs] == [
        "hardware slowdown",
        "thermal slowdown by software",
        "hardware thermal slowdown",
        "power brake",
    ]


def test_the_bits_are_those_of_nvidias_package():
    nvml = pytest.importorskip("pynvml")
    names = ("ApplicationsClocksSetting", "SwPowerCap", "HwSlowdown", "SyncBoost", "SwThermalSlowdown", "HwThermalSlowdown")
    names += ("HwPowerBrakeSlowdown", "DisplayClockSetting")
    assert list(REASONS) == [getattr(nvml, f"nvmlClocksThrottleReason{name}") for name in names]


@pytest.mark.parametrize(
    ("newer", "older", "found"),
    [
        (lambda handle: 8, None, 8),
        (fake_nvml.scripted([fake_nvml.NVMLError()]), lambda handle: 4, 4),  # the driver is older than the package
        (None, lambda handle: 2, 2),
    ],
)
def test_whichever_name_there_is_gets_asked(monkeypatch, newer, older, found):
    functions = {"nvmlDeviceGetCurrentClocksEventReasons": newer, "nvmlDeviceGetCurrentClocksThrottleReasons": older}
    assert clock_reasons(fake_nvml.install(monkeypatch, **functions), 0) == found
