"""When a case has trials enough, and what looking at the interval meanwhile costs.

``bench run --within`` adds trials to a case until its interval is narrow enough. Whoever stops where the scatter happens to look
small underestimates it: with Student's t as it stands, the 95 % interval covered 90 % in simulation. The number of trials depends on
their scatter alone, which of normal values is independent of their mean, so the remedy is a wider interval (Anscombe, Proc. Camb. Phil.
Soc. 45:600, 1949, gives the theory): the standard error of n trials is multiplied by 1 + 2.5 / n. The factor was chosen by simulation,
``tests/proof/stopping.py``, whose table is in docs/verdicts.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.statistics.rates import CONFIDENCE, LogRate, log_rate, t_quantile

FEWEST_TRIALS = 3
"""Before so many, no case has trials enough."""

MOST_FORETOLD = 1000
"""Trials; how many more than these would be needed is not worked out."""

_WIDENED = 2.5


def widening(trials: int) -> float:
    """Return the factor for the standard error of so many trials where their number depends on their scatter."""
    return 1 + _WIDENED / trials


def looked_at(rate: LogRate) -> LogRate:
    """Return the rate with the standard error of trials whose number was decided by looking at their scatter.

    A rate over records stays as it is, since no rule adds records.
    """
    if rate.standard_error is None or rate.over != "trials":
        return rate
    return replace(rate, standard_error=rate.standard_error * widening(rate.n))


def half_width(rate: LogRate) -> float | None:
    """Return how far the upper end of the 95 % interval lies above the rate, as a fraction of it; None without an interval."""
    found = rate.estimate()
    return None if found.high is None else found.high / found.value - 1


def is_wide(log_times: Sequence[float], within: float) -> bool:
    """Whether a case needs another trial, from ln(seconds per item) of each so far; ``within`` is the half-width wished for, in percent.

    Raises NoFigure for a time that is no time.
    """
    if len(log_times) < FEWEST_TRIALS:
        return True
    width = half_width(looked_at(log_rate(log_times)))
    return width is None or 100 * width > within


def trials_needed(rate: LogRate, within: float) -> int | None:
    """Return how many trials in all would give the half-width ``within``, in percent, if they scatter as those of ``rate`` do.

    None where that cannot be told: from a single trial, from records, or where more than 1,000 are needed.
    """
    if rate.standard_error is None or len(rate.values) < 2 or rate.over != "trials":
        return None
    scatter = log_rate(rate.values).standard_error
    assert scatter is not None
    scatter *= math.sqrt(rate.n)
    for trials in range(max(rate.n, FEWEST_TRIALS), MOST_FORETOLD + 1):
        half = t_quantile(trials - 1, 0.5 + CONFIDENCE / 2) * scatter * widening(trials) / math.sqrt(trials)
        if 100 * math.expm1(half) <= within:
            return trials
    return None
