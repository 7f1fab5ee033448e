"""Change points in a series of times, by penalised least squares (PELT; Killick, Fearnhead, Eckley, JASA 107:1590, 2012)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEWEST = 8
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
    if len(values) < FEWEST:
        return []
    import ruptures

    deviation = spread_of(values)
    smooth = _drawn_in(values, deviation)
    found = (
        ruptures.Pelt(model="l2", min_size=min_size, jump=1)
        .fit(smooth)
        .predict(pen=PENALTY * deviation**2 * math.log(len(values)))
    )
    return [int(index) for index in found[:-1]]


def spread_of(values: Array) -> float:
    """The deviation of a series from its own level, from differences of neighbours, which level shifts hardly touch."""
    median = float(np.median(np.abs(np.diff(values))))
    return max(1.4826 * median / math.sqrt(2), LEAST_DEVIATION)


def _drawn_in(values: Array, deviation: float) -> Array:
    """Single outliers brought back to the median of their neighbourhood, plus or minus ``OUTLYING`` deviations."""
    padded = np.pad(values, 2, mode="reflect")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return np.clip(values, medians - OUTLYING * deviation, medians + OUTLYING * deviation)
