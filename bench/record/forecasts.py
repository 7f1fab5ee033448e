"""Forecasts held to account: how far off they were, and how often their intervals held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.record.schema import Forecast

LEVEL = 0.95
"""Confidence level of a forecast's interval."""
FEWEST = 5
"""The number of forecasts below which their intervals are not judged."""


@dataclass(frozen=True)
class Account:
    """What a set of forecasts comes to."""

    count: int
    median_error: float  # of absolute relative errors
    worst_error: float
    covered: int

    @property
    def as_promised(self) -> bool | None:
        """Whether intervals that hold 19 times of 20 would miss so often in more than one set of 20; None of too few."""
        if self.count < FEWEST:
            return None
        chances = (
            math.comb(self.count, held) * LEVEL**held * (1 - LEVEL) ** (self.count - held)
            for held in range(self.covered + 1)
        )
        return sum(chances) >= 1 - LEVEL


def error(forecast: Forecast) -> float:
    """Return a forecast's relative error, (predicted - measured) / measured."""
    return forecast.predicted / forecast.measured - 1


def covered(forecast: Forecast) -> bool:
    """Whether the interval held the measured time."""
    low, high = forecast.low, forecast.high
    return low is not None and high is not None and low <= forecast.measured <= high


def account(found: Sequence[Forecast]) -> Account:
    """Raises ValueError without forecasts."""
    errors = [math.fabs(error(forecast)) for forecast in found]
    return Account(len(found), median(errors), max(errors), sum(covered(forecast) for forecast in found))
