"""Simulated series of nightly figures: unchanged code on a machine with good and bad weeks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bench.statistics.monitoring import NIGHTS, Shift, lasting_shifts

Array = NDArray[np.float64]


def autoregressive(rng: np.random.Generator, nights: int, deviation: float, autocorrelation: float) -> Array:
    """A stationary AR(1) series of ln(seconds per image)."""
    values = rng.normal(0.0, deviation, nights)
    for at in range(1, nights):
        values[at] = autocorrelation * values[at - 1] + math.sqrt(1 - autocorrelation**2) * values[at]
    return values


def with_bad_nights(rng: np.random.Generator, values: Array, fraction: float = 0.02, mean: float = 0.2) -> Array:
    """The same where a few single nights are badly off, by so much on average."""
    return values + (rng.random(len(values)) < fraction) * rng.exponential(mean, len(values))


def alarms(series: Array) -> list[Shift]:
    """The changes for the worse that were found on any night."""
    return [shift for shift in lasting_shifts(series) if shift.log_ratio > 0]


def alarm_rate(
    seed: int, count: int, deviation: float, autocorrelation: float, bad: bool = False, nights: int = NIGHTS
) -> int:
    """How many of ``count`` series of unchanged code raised an alarm on one night or more."""
    rng = np.random.default_rng([seed, round(1000 * autocorrelation), round(1e6 * deviation)])
    raised = 0
    for _ in range(count):
        values = autoregressive(rng, nights, deviation, autocorrelation)
        raised += bool(alarms(with_bad_nights(rng, values) if bad else values))
    return raised
