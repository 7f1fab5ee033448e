"""Intervals of what lies between 0 and 1: accuracy, and the area under a curve.

Student's t on the logarithm of the odds, ln(p / (1 - p)): its ends, taken back, lie between 0 and 1, whatever the scatter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev

from bench.statistics.rates import CONFIDENCE, Estimate, t_quantile

WIDEST = 0.5
"""An interval that spans more than half of what is possible says nothing, and is left out."""


def proportion(values: Sequence[float]) -> Estimate:
    """The mean of one value for each seed, with the 95 % interval; without it where it says nothing or cannot be computed.

    ``values`` lie between 0 and 1. The mean is the plain one; the interval is on the logit scale. A value of exactly 0 or 1 has no logit: then
    there is no interval, unless all are alike. Raises ValueError without values.
    """
    middle = mean(values)
    ends = _ends(values, 0.5 + CONFIDENCE / 2)
    if ends is None or ends[1] - ends[0] > WIDEST:
        return Estimate(middle)
    return Estimate(middle, min(ends[0], middle), max(ends[1], middle))


def lower_limit(values: Sequence[float], confidence: float = CONFIDENCE) -> float | None:
    """The one-sided lower limit of the mean, on the logit scale, between 0 and 1; None where it says nothing: further than a quarter of
    what is possible below the mean, or not to be computed, as with a single value or one that is exactly 0 or 1."""
    middle = mean(values)
    ends = _ends(values, confidence)
    if ends is None or middle - ends[0] > WIDEST / 2:
        return None
    return min(ends[0], middle)


def upper_limit(count: int, among: int) -> float:
    """The upper limit of the rate behind ``count`` of ``among`` things, one-sided 97.5 % (Clopper and Pearson, Biometrika 26:404, 1934)."""
    from scipy.special import betaincinv

    return 1.0 if count == among else float(betaincinv(count + 1, among - count, 0.975))


def _ends(values: Sequence[float], probability: float) -> tuple[float, float] | None:
    if len(values) < 2:
        return None
    if min(values) == max(values):
        return values[0], values[0]
    if not (min(values) > 0 and max(values) < 1):
        return None
    logits = [math.log(value / (1 - value)) for value in values]
    half = t_quantile(len(logits) - 1, probability) * stdev(logits) / math.sqrt(len(logits))
    return _back(mean(logits) - half), _back(mean(logits) + half)


def _back(logit: float) -> float:
    """The proportion whose logit it is."""
    odds = math.exp(-abs(logit))
    return 1 / (1 + odds) if logit >= 0 else odds / (1 + odds)
