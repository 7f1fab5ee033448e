"""Times, rates and sizes as people say them: ``11.3 days``, ``52 min``, ``1,840``, ``2.3 GiB``, ``± 2 %``."""

from __future__ import annotations

import math

UNKNOWN = "–"

_UNITS = (  # unit, its seconds, and the value from which the next unit reads better
    ("µs", 1e-6, 1e3),
    ("ms", 1e-3, 1e3),
    ("s", 1.0, 60.0),
    ("min", 60.0, 60.0),
    ("h", 3600.0, 48.0),
    ("days", 86400.0, 365.0),
    ("years", 365.25 * 86400.0, math.inf),
)
_WIDEST_SYMMETRIC = 0.3
"""Up to this relative half-width an interval is written ``± x %``; wider ones are skewed, and written as a range."""


_WIDEST = 100.0
"""An interval whose ends lie further apart than so many times says nothing."""


def says_nothing(low: float, high: float) -> bool:
    """Whether an interval of a positive quantity is too wide to be an answer: its ends differ by more than a hundred times."""
    return low < 0 or high > _WIDEST * low


def duration(seconds: float) -> str:
    """``38 s``, ``52 min``, ``4.1 h``, ``11.3 days``, ``3.2 years``; a dash where there is no finite time."""
    if not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds == 0:
        return "0 s"
    smallest = seconds < _UNITS[0][1]
    for unit, size, limit in _UNITS:
        value = seconds / size
        if value < limit and _rounded(value, unit) < limit:
            return f"{value:.2g} {unit}" if smallest else f"{_large(_rounded(value, unit), unit)} {unit}"
    raise AssertionError("the last unit has no limit")


def _tenths(value: float, unit: str) -> bool:
    """Two or three significant digits: a tenth of a day still matters at 11 days, a tenth of a second not at 38."""
    return value < (9.95 if unit in {"s", "min"} else 99.95)


def _rounded(value: float, unit: str) -> float:
    return max(round(value, 1 if _tenths(value, unit) else 0), 1.0)  # 59.8 s is 1.0 min


def _large(value: float, unit: str) -> str:
    if value < 1e6:
        return f"{value:,.1f}" if _tenths(value, unit) else f"{value:,.0f}"
    if value >= 1e15:
        return f"{value:.1e}"
    name, size = ("million", 1e6) if value < 999.5e6 else ("billion", 1e9) if value < 999.5e9 else ("trillion", 1e12)
    return f"{value / size:.3g} {name}"


def number(value: float, digits: int = 3) -> str:
    """``1,840``, ``52.3``, ``0.0123``: rounded to so many significant digits."""
    if not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude >= 15 or magnitude < -6:
        return f"{value:.{digits - 1}e}"
    places = max(digits - 1 - magnitude, 0)
    return f"{round(value, digits - 1 - magnitude):,.{places}f}"


def size(count: int) -> str:
    """Bytes in binary units: ``2.3 GiB``."""
    if count <= 0:
        return UNKNOWN
    power = min(max(count.bit_length() - 1, 0) // 10, 6)
    return f"{number(count / 1024**power)} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[power]}"


def spread(value: float, low: float | None, high: float | None) -> str:
    """The relative half-width of an interval, the wider side, rounded up: ``± 2 %``; empty where it is no such thing."""
    if low is None or high is None or not 0 < low <= value <= high < math.inf:
        return ""
    width = max(high / value - 1, 1 - low / value)
    if width > _WIDEST_SYMMETRIC:
        return ""
    percent = 100 * width
    rounded = math.ceil(percent * 10 - 1e-9) / 10 if percent < 0.95 else math.ceil(percent - 1e-9)
    return f"± {max(rounded, 0.1):g} %"
