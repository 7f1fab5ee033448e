"""NVIDIA GPUs as NVML sees them, independent of any framework. Empty where there is no NVML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from bench.machine.clock_reasons import clock_reasons
from bench.machine.host import hashed

T = TypeVar("T")


def describe_gpus() -> list[dict[str, str]]:
    """Name, hashed UUID, driver, memory, power limit, ECC and persistence of every GPU, in NVML's order."""

    def one(nvml: Any, handle: Any) -> dict[str, str]:
        facts: dict[str, Callable[[], str]] = {
            "name": lambda: text_of(nvml.nvmlDeviceGetName(handle)),
            "uuid": lambda: hashed(text_of(nvml.nvmlDeviceGetUUID(handle))),
            "driver": lambda: text_of(nvml.nvmlSystemGetDriverVersion()),
            "memory_bytes": lambda: str(nvml.nvmlDeviceGetMemoryInfo(handle).total),
            "power_limit_watts": lambda: f"{nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000:g}",
            "sm_clock_max_mhz": lambda: str(nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)),
            "ecc": lambda: str(nvml.nvmlDeviceGetEccMode(handle)[0]),
            "persistence": lambda: str(nvml.nvmlDeviceGetPersistenceMode(handle)),
        }
        return told_by(nvml, facts)

    return each_gpu(one)


def sample_gpus() -> dict[str, float]:
    """Clocks (MHz), power (W), temperature (C), throttle reasons (bit mask) and memory in use (bytes), by ``gpuN.fact``."""

    def one(nvml: Any, handle: Any) -> dict[str, float]:
        facts: dict[str, Callable[[], float]] = {
            "throttle_reasons": lambda: float(clock_reasons(nvml, handle)),
            "memory_used": lambda: float(nvml.nvmlDeviceGetMemoryInfo(handle).used),
        }
        return told_by(nvml, dials(nvml, handle) | facts)

    return {f"gpu{index}.{name}": value for index, facts in enumerate(each_gpu(one)) for name, value in facts.items()}


def dials(nvml: Any, handle: Any) -> dict[str, Callable[[], float]]:
    """What moves while a GPU works: clocks (MHz), power (W) and temperature (C), each to be asked for."""
    return {
        "sm_mhz": lambda: float(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
        "memory_mhz": lambda: float(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
        "watts": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000,
        "celsius": lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
    }


def each_gpu(one: Callable[[Any, Any], T]) -> list[T]:
    """``one(nvml, handle)`` of every GPU, in NVML's order."""
    nvml = open_nvml()
    if nvml is None:
        return []
    try:
        return [one(nvml, nvml.nvmlDeviceGetHandleByIndex(index)) for index in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        return []
    finally:
        nvml.nvmlShutdown()


def open_nvml() -> Any | None:
    """Return the initialised NVML, which the caller shuts down, or None where there is none."""
    try:
        import pynvml as nvml

        nvml.nvmlInit()
    except Exception:  # no package, no library, no driver: each has an exception of its own, and all mean "no GPU"
        return None
    return nvml


def told_by(nvml: Any, facts: dict[str, Callable[[], T]]) -> dict[str, T]:
    """Return each fact that this GPU, driver and package can tell."""
    told = {}
    for name, ask in facts.items():
        try:
            told[name] = ask()
        except (nvml.NVMLError, AttributeError):  # not supported by the GPU or its driver; not in this package
            continue
    return told


def text_of(value: Any) -> str:
    """A text of NVML's, which older packages give as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)
