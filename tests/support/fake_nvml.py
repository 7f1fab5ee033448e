"""An NVML with scripted readings, to be put in the place of ``pynvml``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest


class NVMLError(Exception):
    """As in pynvml, of everything that a GPU or its driver does not tell."""


def process(pid: int, memory: int | None = None) -> SimpleNamespace:
    """An entry of NVML's lists of processes."""
    return SimpleNamespace(pid=pid, usedGpuMemory=memory)


def scripted(readings: Sequence[Any]) -> Callable[..., Any]:
    """A function that gives one reading after the other, and the last one for ever; an exception is raised."""
    left: Iterator[Any] = iter(readings)
    last: list[Any] = []

    def ask(*_: Any) -> Any:
        last[:] = [next(left, last[0] if last else None)]
        if isinstance(last[0], Exception):
            raise last[0]
        return last[0]

    return ask


def install(monkeypatch: pytest.MonkeyPatch, gpus: int = 1, **functions: Any) -> SimpleNamespace:
    """Make ``import pynvml`` give an NVML of healthy GPUs, with ``functions`` in the place of its own; ``None`` takes one away.

    ``opened`` counts how often it was initialised, and not yet shut down; ``inits`` how often at all.
    """
    nvml = SimpleNamespace(NVMLError=NVMLError, opened=0, inits=0)

    def init() -> None:
        nvml.opened, nvml.inits = nvml.opened + 1, nvml.inits + 1

    def shut_down() -> None:
        nvml.opened -= 1

    defaults: dict[str, Any] = {
        "nvmlInit": init, "nvmlShutdown": shut_down, "nvmlDeviceGetCount": lambda: gpus,
        "nvmlDeviceGetHandleByIndex": lambda index: index, "nvmlDeviceGetName": lambda handle: "NVIDIA Test",
        "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}{handle}{handle}-test",
        "NVML_CLOCK_SM": "sm", "NVML_CLOCK_MEM": "memory", "NVML_TEMPERATURE_GPU": "gpu",
        "nvmlDeviceGetClockInfo": lambda handle, which: 1980 if which == "sm" else 2619,
        "nvmlDeviceGetPowerUsage": lambda handle: 400_000, "nvmlDeviceGetTemperature": lambda handle, which: 60,
        "nvmlDeviceGetCurrentClocksThrottleReasons": lambda handle: 0,
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [], "nvmlDeviceGetTotalEnergyConsumption": lambda handle: 1000,
    }  # fmt: skip
    for name, function in (defaults | functions).items():
        if function is not None:
            setattr(nvml, name, function)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    return nvml


def uninstall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``import pynvml`` fail."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
