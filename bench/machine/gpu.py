"""NVIDIA GPUs as NVML sees them, independent of any framework. Empty where there is no NVML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from bench.machine.host import hashed

T = TypeVar("T")


def describe_gpus() -> list[dict[str, str]]:
    """Name, hashed UUID, driver, memory, power limit, ECC and persistence of every GPU, in NVML's order."""

    def one(nvml: Any, handle: Any) -> dict[str, str]:
        facts: dict[str, Callable[[], str]] = {
            "name": lambda: _text(nvml.nvmlDeviceGetName(handle)),
            "uuid": lambda: hashed(_text(nvml.nvmlDeviceGetUUID(handle))),
            "driver": lambda: _text(nvml.nvmlSystemGetDriverVersion()),
            "memory_bytes": lambda: str(nvml.nvmlDeviceGetMemoryInfo(handle).total),
            "power_limit_watts": lambda: f"{nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000:g}",
            "sm_clock_max_mhz": lambda: str(nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)),
            "ecc": lambda: str(nvml.nvmlDeviceGetEccMode(handle)[0]),
            "persistence": lambda: str(nvml.nvmlDeviceGetPersistenceMode(handle)),
        }
        return _asked(nvml, facts)

    return each_gpu(one)


def sample_gpus() -> dict[str, float]:
    """Clocks (MHz), power (W), temperature (C), throttle reasons (bit mask) and memory in use (bytes), by ``gpuN.fact``."""

    def one(nvml: Any, handle: Any) -> dict[str, float]:
        facts: dict[str, Callable[[], float]] = {
            "sm_mhz": lambda: float(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
            "memory_mhz": lambda: float(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
            "watts": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000,
            "celsius": lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            "throttle_reasons": lambda: float(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)),
            "memory_used": lambda: float(nvml.nvmlDeviceGetMemoryInfo(handle).used),
        }
        return _asked(nvml, facts)

    return {f"gpu{index}.{name}": value for index, facts in enumerate(each_gpu(one)) for name, value in facts.items()}


def each_gpu(one: Callable[[Any, Any], T]) -> list[T]:
    """``one(nvml, handle)`` of every GPU, in NVML's order."""
    try:
        import pynvml as nvml

        nvml.nvmlInit()
    except Exception:  # no package, no library, no driver: each has an exception of its own, and all mean "no GPU"
        return []
    try:
        return [one(nvml, nvml.nvmlDeviceGetHandleByIndex(index)) for index in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        return []
    finally:
        nvml.nvmlShutdown()


def _asked(nvml: Any, facts: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """Each fact that this GPU and driver can tell."""
    told = {}
    for name, ask in facts.items():
        try:
            told[name] = ask()
        except nvml.NVMLError:
            continue
    return told


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
