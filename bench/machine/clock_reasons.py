"""Why a GPU's clocks are not higher: NVML's bits in words, and which of them make a figure doubtful."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple


class Reason(NamedTuple):
    """One reason why a GPU's clocks are not higher."""

    words: str
    disturbs: bool  # whether it makes a figure doubtful; else the card works as usual, or was set up like that


REASONS = {  # bit of NVML's mask (nvml.h: nvmlClocksEventReason…); GpuIdle, 0x001, is no reason during work
    0x002: Reason("applications clocks setting", False),
    0x004: Reason("software power cap", False),
    0x008: Reason("hardware slowdown", True),
    0x010: Reason("sync boost", False),
    0x020: Reason("thermal slowdown by software", True),
    0x040: Reason("hardware thermal slowdown", True),
    0x080: Reason("power brake", True),
    0x100: Reason("display clocks setting", False),
}


def clock_reasons(nvml: Any, handle: Any) -> int:
    """Return the bit mask of what holds a GPU's clocks down just now.

    Newer NVML names it "event reasons", older NVML "throttle reasons". A newer package may meet an older driver, which knows only
    the older name. Raises NVMLError.
    """
    newer = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
    if newer is not None:
        with suppress(nvml.NVMLError):
            return int(newer(handle))
    return int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))


def reasons_in(mask: int) -> list[Reason]:
    """Return the reasons that a mask holds, in the order of their bits."""
    return [reason for bit, reason in REASONS.items() if mask & bit]
