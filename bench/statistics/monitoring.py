"""Lasting changes of level in a series that is looked at night after night, with a rate of false alarms that holds.

Figures of unchanged code are autocorrelated: a machine has good and bad weeks. A search for change points that takes them for
independent cuts such a series to pieces. Here the last records are held against those before them, in units of what an
autoregressive series of first order, AR(1), does by itself: the variance of the difference of two neighbouring means of an
AR(1) series is known, and its deviation and autocorrelation are estimated from the records before (with Kendall's correction of the
bias, Biometrika 41:403, 1954). Few records tell little of an autocorrelation. Hence it is drawn to ``EXPECTED``, and taken to be a
standard error higher.

Whoever looks every night looks often. ``LEVEL`` is so small that a series of unchanged code raises an alarm in ``NIGHTS``
nights with a probability of ``ALARM_RATE`` at most, as long as neighbours correlate by ``STATED_UP_TO`` or less. No formula gives that
rate for short series: it is held in simulation (tests/proof/nights.py, docs/verdicts.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.errors import NoFigure
from bench.statistics.changes import LEAST_DEVIATION, drawn_in, spread_of
from bench.statistics.pairs import ERROR_LEVEL, TOLERATED, Effect, with_interval

Array = NDArray[np.float64]

NIGHTS, ALARM_RATE = 40, 0.05
"""A series of unchanged code that grows to so many records, looked at after each, raises a false alarm this often at most."""

STATED_UP_TO = 0.9
"""The autocorrelation of neighbours up to which that holds."""

LEVEL = 0.00005
"""One-sided, of one look at one number of last records."""

FEWEST_BEFORE = 8
"""With fewer records before it, no change can be told from noise."""

LASTING = (2, 3, 5, 8, 13, 21)
"""So many last records are held against those before them. A change is lasting from two records on."""

EXPECTED, WORTH = 0.6, 20
"""The autocorrelation that is expected of a machine, and how many records that expectation is worth."""

MOST_AUTOCORRELATION = 0.95


@dataclass(frozen=True)
class Shift:
    """A lasting change of level: the index of the first value after it, and ln(after / before)."""

    at: int
    log_ratio: float


@dataclass(frozen=True)
class Wander:
    """What a series does while nothing changes: an AR(1) series, as far as it is known."""

    deviation: float  # of single values, natural logarithms
    autocorrelation: float  # of neighbours
    degrees_of_freedom: int  # of the deviation

    def error(self, before: int, after: int) -> float:
        """The standard error of the difference between the means of so many values and of so many that follow."""
        phi = self.autocorrelation
        shared = phi * (1 - phi**before) * (1 - phi**after) / (before * after * (1 - phi) ** 2)
        variance = variance_of_mean(before, phi) + variance_of_mean(after, phi) - 2 * shared
        return self.deviation * math.sqrt(variance)


def variance_of_mean(count: int, autocorrelation: float) -> float:
    """The variance of the mean of so many neighbouring values of an AR(1) series of unit variance."""
    phi = autocorrelation
    return ((1 + phi) / (1 - phi) - 2 * phi * (1 - phi**count) / (count * (1 - phi) ** 2)) / count


def wander_of(stretches: Sequence[Array]) -> Wander:
    """Estimate it from stretches that each have a level of their own. Raises NoFigure with fewer values than ``FEWEST_BEFORE``."""
    residuals = [stretch - stretch.mean() for stretch in stretches if len(stretch) > 1]
    count, levels = sum(map(len, residuals)), len(residuals)
    if count < FEWEST_BEFORE:
        raise NoFigure(f"{count} records tell no change from noise; expected {FEWEST_BEFORE} or more")
    freedom = count - levels
    squares = sum(float(np.square(values).sum()) for values in residuals)
    if squares <= count * LEAST_DEVIATION**2:
        return Wander(LEAST_DEVIATION, 0.0, freedom)
    lagged = sum(float((values[1:] * values[:-1]).sum()) for values in residuals) / squares
    unbiased = lagged + levels * (1 + 4 * max(lagged, 0.0)) / count
    phi = (WORTH * EXPECTED + count * unbiased) / (WORTH + count) + 1 / math.sqrt(count)
    phi = min(max(phi, 0.0), MOST_AUTOCORRELATION)
    # Residuals from a mean scatter less than the values do, the more so the more neighbours are alike.
    worth = sum(len(values) * (1 - variance_of_mean(len(values), phi)) for values in residuals)
    return Wander(max(math.sqrt(squares / worth), LEAST_DEVIATION), phi, freedom)


def lasting_shifts(log_times: Sequence[float] | Array) -> list[Shift]:
    """Every lasting change that a look after each record would have found, in the order of the series.

    A change of less than ``TOLERATED`` is none, and a single outlier neither. Takes about n looks of a few vector operations.
    """
    values = np.asarray(log_times, np.float64)
    found: list[Shift] = []
    for count in range(FEWEST_BEFORE + LASTING[0], len(values) + 1):
        starts = [0, *(shift.at for shift in found)]
        shift = _latest(drawn_in(values[:count], spread_of(values[:count])), starts)
        if shift is not None:
            found.append(shift)
    return found


def _latest(values: Array, starts: Sequence[int]) -> Shift | None:
    """A lasting change in the last of the stretches that begin at ``starts``, which the last records show."""
    begin, count = starts[-1], len(values)
    for last in LASTING:
        at = count - last
        if at <= begin:
            break
        try:
            effect = effect_of_last(values, starts, last, LEVEL)
        except NoFigure:
            break
        if not effect.low <= 0 <= effect.high and _lasts(values[at:] - values[begin:at].mean()):
            return _placed(values, begin)
    return None


def _lasts(steps: Array) -> bool:
    """Whether a change is more than one night: without the farthest of the last values, it is beyond what is tolerated."""
    steps = steps if steps.mean() > 0 else -steps
    return float(np.sort(steps)[:-1].mean()) > math.log1p(TOLERATED)


def _placed(values: Array, begin: int) -> Shift:
    """The change where it splits the values from ``begin`` on into the two levels that fit them best (least squares)."""
    own = values[begin:]
    ats = np.arange(1, len(own) - LASTING[0] + 1)
    sums = np.cumsum(own)
    before, after = sums[ats - 1] / ats, (sums[-1] - sums[ats - 1]) / (len(own) - ats)
    best = int(np.argmax((after - before) ** 2 * ats * (len(own) - ats)))
    return Shift(begin + int(ats[best]), float(after[best] - before[best]))


def effect_of_last(values: Array, starts: Sequence[int], last: int, level: float = ERROR_LEVEL) -> Effect:
    """The last values against those before them, back to the change before; ``level`` is the one-sided error at either end.

    ``starts``: where the stretches of one level begin, the first at 0. Raises NoFigure where too few values come before.
    """
    at = len(values) - last
    known = [start for start in starts if start < at]
    if not known:
        raise NoFigure(f"no record before the last {last}")
    stretches = [values[start:stop] for start, stop in zip(known, [*known[1:], at], strict=True)]
    wander = wander_of(stretches)
    before, after = stretches[-1], values[at:]
    error = wander.error(len(before), len(after))
    return with_interval(float(after.mean() - before.mean()), error, wander.degrees_of_freedom, len(after), level)
