"""Change points in a series of times, by penalised least squares.

The search is optimal partitioning (Jackson et al., IEEE Signal Processing Letters 12:105, 2005, section II), which finds the
exact minimum. It is written here because a worker runs it in every pilot: the library that has it imports most of SciPy,
which takes seconds on a slow machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEWEST_RECORDS = 8
"""A shorter series tells no change from noise."""

PENALTY = 5.0
"""Times variance times ln n per change point: above the 2 of BIC, since the variance of few values is itself uncertain."""

OUTLYING = 3.0
"""Deviations from the running median beyond which a single value is an outlier, and drawn in before segments are fitted."""

LEAST_DEVIATION = 1e-4
"""Of logarithms of times: below it, differences are those of the clock."""


def change_points(log_times: Sequence[float] | Array, min_size: int = 2) -> list[int]:
    """Indices at which a new segment begins, in rising order, without 0; empty where nothing changes, or too few values."""
    values = np.asarray(log_times, np.float64)
    if len(values) < FEWEST_RECORDS:
        return []
    deviation = spread_of(values)
    return segment_starts(drawn_in(values, deviation), PENALTY * deviation**2 * math.log(len(values)), min_size)


def segment_starts(values: Array, penalty: float, min_size: int) -> list[int]:
    """Cut ``values`` (n,) into the segments that minimise squared deviations from their means plus ``penalty`` for each cut.

    Every segment holds at least ``min_size`` values. Returns the first index of each segment but the first, in rising order.
    Takes n vector operations of up to n elements.
    """
    count = len(values)
    centred = values - values.mean()  # sums of squares of small numbers keep their digits
    sums = np.concatenate(([0.0], np.cumsum(centred)))
    squares = np.concatenate(([0.0], np.cumsum(centred**2)))
    best = np.full(count + 1, np.inf)  # cost of the first so many values, and a penalty for each of their segments
    best[0] = 0.0
    last = np.zeros(count + 1, np.int64)  # where their last segment begins
    for stop in range(min_size, count + 1):
        starts = np.arange(stop - min_size + 1)
        lengths = stop - starts
        costs = squares[stop] - squares[starts] - (sums[stop] - sums[starts]) ** 2 / lengths
        totals = best[starts] + costs + penalty
        last[stop] = int(np.argmin(totals))
        best[stop] = totals[last[stop]]
    found: list[int] = []
    start = int(last[count])
    while start > 0:
        found.append(start)
        start = int(last[start])
    return found[::-1]


def spread_of(values: Array) -> float:
    """The deviation of a series from its own level, from differences of neighbours, which level shifts hardly touch."""
    median = float(np.median(np.abs(np.diff(values))))
    return max(1.4826 * median / math.sqrt(2), LEAST_DEVIATION)


def drawn_in(values: Array, deviation: float) -> Array:
    """Single outliers brought back to the median of their neighbourhood, plus or minus ``OUTLYING`` deviations."""
    padded = np.pad(values, 2, mode="reflect")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return np.clip(values, medians - OUTLYING * deviation, medians + OUTLYING * deviation)
