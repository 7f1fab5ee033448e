"""Verdicts on pairs of processes, base and candidate, measured side by side.

A pair gives one number, d, an estimate of ln(candidate's time per image / base's). Its blocks were timed in turns, so each block
has a neighbour of the other arm, and d is the trimmed mean of the neighbours' log-ratios: a disturbance that hits a few
blocks is left out on both sides alike. The arm that ends a round begins the next one, and a block that follows one of its own arm may
be faster: of an even number of rounds either arm began half, and what the order does cancels. Over pairs, the effect is the trimmed mean again, with the interval of Tukey and McLaughlin
(Sankhya A 25:331, 1963; Yuen, Biometrika 61:165, 1974): Student's t on the Winsorised deviations. One process in ten that is
badly off then neither moves the effect nor drowns it.

What the trimmed means leave out may be the slow-down itself, one that sits in few blocks, such as a stall now and then, or in few
processes. So two more effects are looked at: that on total times, where no block of a pair is left out, and the plain mean of d,
where no pair is (``mean_effect``). Noise makes them scatter more, hence they only add to the verdict. Where the interval of total
times lies beyond what must be found, it is a regression. Where the interval of either lies beyond what is tolerated, or its middle
beyond what must be found, there is no pass.

A pass bounds the slow-down of a *typical* process. Of processes that are badly off now and then it says only that those of this check
did not add up to a slow-down: six pairs meet none of what befalls one process in ten in 53 % of all checks.

A check looks at its pairs a few times, and each look spends a part of the error level (Bonferroni, which is safe whatever the
dependence). It raises a false alarm where *any* of its cases is said to have regressed, hence that level is divided among cases too. It
passes only where *every* case does. One case that is slower by what must be found keeps it from passing, however many others there
are, hence the level of a false pass is not divided among cases (intersection-union test: Berger, Technometrics 24:295, 1982).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bench.errors import NoFigure
from bench.statistics.rates import t_quantile

Array = NDArray[np.float64]

TOLERATED = 0.02
"""A slow-down that nobody need hear of."""

TO_BE_FOUND = 0.05
"""A slow-down that must not pass."""

ERROR_LEVEL = 0.02
"""Of a false alarm in a whole check, and as much of a whole check that passes what must be found."""

POWER = 0.8

LOOKS = (6, 8, 10, 14, 20, 28, 40, 56, 80)
"""Numbers of pairs after which a check looks, as far as its budget goes."""

TRIMMED_BLOCKS = 0.25
TRIMMED_PAIRS = 0.1
"""What is left out at either end, of a pair's blocks and of the pairs; of pairs, at least one."""


class Verdict(StrEnum):
    """What a comparison says of the candidate."""

    IMPROVED = "improved"
    PASS = "pass"
    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Effect:
    """ln(candidate / base) of the time per image, with an interval; positive is slower.

    The ends of the interval may have different error levels: the lower one is for saying that something is slower, the upper one
    for saying that it is not.
    """

    log_ratio: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: int
    n: int  # pairs, or sessions

    @property
    def change(self) -> float:
        """As a fraction of the base's time: 0.05 is 5 % slower."""
        return math.expm1(self.log_ratio)


@dataclass(frozen=True)
class Look:
    """After so many pairs, judge at these one-sided error levels."""

    pairs: int
    level: float  # of "regressed", and of "improved"
    pass_level: float


def plan_looks(most_pairs: int, cases: int = 1, error_level: float = ERROR_LEVEL) -> tuple[Look, ...]:
    """The looks that fit into ``most_pairs``, later ones with a larger part of the error level (as the squared number of
    pairs, since most is at stake at the end). Each is after an even number of pairs, since the arms begin them by turns.
    Raises ValueError below the smallest look."""
    if most_pairs < LOOKS[0]:
        raise ValueError(f"{most_pairs} pairs are fewer than the smallest look of {LOOKS[0]}")
    last = most_pairs - most_pairs % 2
    counts = [pairs for pairs in LOOKS if pairs <= 0.85 * last] + [last]
    total = sum(pairs**2 for pairs in counts)
    parts = [(pairs, error_level * pairs**2 / total) for pairs in counts]
    return tuple(Look(pairs, part / cases, part) for pairs, part in parts)


def pair_difference(base: Sequence[float], candidate: Sequence[float]) -> float:
    """d of one pair from the seconds of its steady blocks, which were timed in turns; as many of each.

    Raises NoFigure where they cannot be paired, or a time is not a positive number.
    """
    both = _both(base, candidate)
    return trimmed_mean(np.log(both[1] / both[0]), TRIMMED_BLOCKS)


def total_difference(base: Sequence[float], candidate: Sequence[float]) -> float:
    """ln of the ratio of all steady time of one pair, nothing left out. Raises NoFigure as ``pair_difference`` does."""
    totals = _both(base, candidate).sum(1)
    return math.log(totals[1] / totals[0])


def _both(base: Sequence[float], candidate: Sequence[float]) -> Array:
    if len(base) != len(candidate) or not base:
        raise NoFigure(f"{len(base)} blocks of the base and {len(candidate)} of the candidate cannot be paired")
    both = np.asarray([base, candidate], np.float64)
    if not (np.isfinite(both).all() and (both > 0).all()):
        raise NoFigure("a block whose time is not a positive number")
    return both


def trimmed_mean(values: Array, proportion: float) -> float:
    """Mean of what is left when ``proportion`` of the values is taken off at either end."""
    cut = int(proportion * len(values))
    return float(np.sort(values)[cut : len(values) - cut].mean())


def trimmed_pairs(pairs: int) -> int:
    """How many pairs are left out at either end: one of 6 to 19, two of 20 to 29, …; none below 5."""
    return 0 if pairs < 5 else max(1, int(TRIMMED_PAIRS * pairs))


def effect_of(differences: Sequence[float] | Array, level: float, pass_level: float | None = None) -> Effect:
    """The effect over pairs: a trimmed mean, with the interval of Tukey and McLaughlin.

    The one-sided error is ``level`` at the lower end of the interval, and ``pass_level`` (None: the same) at the upper one. Raises NoFigure with fewer than two pairs, or where one is not finite.
    """
    values = _finite(differences)
    n = len(values)
    cut = trimmed_pairs(n)
    left = n - 2 * cut
    winsorised = np.clip(values, values[cut], values[n - 1 - cut])
    error = math.sqrt(float(np.square(winsorised - winsorised.mean()).sum()) / (left * (left - 1)))
    return with_interval(float(values[cut : n - cut].mean()), error, left - 1, n, level, pass_level)


def mean_effect(differences: Sequence[float] | Array, level: float, pass_level: float | None = None) -> Effect:
    """The mean over all pairs, none of which is left out, with Student's t interval.

    Levels and errors as ``effect_of``.
    """
    values = _finite(differences)
    n = len(values)
    return with_interval(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n), n - 1, n, level, pass_level)


def _finite(differences: Sequence[float] | Array) -> Array:
    """Differences of pairs, in rising order."""
    values = np.sort(np.asarray(differences, np.float64))
    if len(values) < 2:
        raise NoFigure(f"{len(values)} pairs give no interval; expected 2 or more")
    if not np.isfinite(values).all():
        raise NoFigure("a pair whose difference is not a number")
    return values


def with_interval(mean: float, error: float, freedom: int, n: int, level: float, pass_level: float | None = None) -> Effect:
    """An effect with Student's t interval, given its standard error and degrees of freedom; levels as ``effect_of``."""
    low = t_quantile(freedom, 1 - level) * error
    high = low if pass_level is None else t_quantile(freedom, 1 - pass_level) * error
    return Effect(mean, mean - low, mean + high, error, freedom, n)


def welch(base: Sequence[float] | Array, candidate: Sequence[float] | Array, level: float) -> Effect:
    """Unpaired logarithms of times, one per trial, with Welch's interval (Biometrika 34:28, 1947).

    Raises NoFigure with fewer than two on either side.
    """
    sides = [np.asarray(side, np.float64) for side in (base, candidate)]
    if min(map(len, sides)) < 2:
        raise NoFigure(f"{min(map(len, sides))} trials on one side give no interval; expected 2 or more")
    parts = [float(side.var(ddof=1)) / len(side) for side in sides]
    error = math.sqrt(sum(parts))
    freedom = 1.0
    if error > 0:
        freedom = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
    mean = float(sides[1].mean() - sides[0].mean())
    return with_interval(mean, error, int(max(freedom, 1)), min(map(len, sides)), level)


def judge_pairs(effect: Effect, total: Effect, mean: Effect) -> Verdict:
    """``judge`` of the trimmed effect, unless another shows a slow-down that sits in few blocks or in few pairs: that on
    ``total`` times, or the ``mean`` over all pairs."""
    verdict = judge(effect)
    if total.low > math.log1p(TO_BE_FOUND):
        return Verdict.REGRESSED
    if (doubtful(total) or doubtful(mean)) and verdict is not Verdict.REGRESSED:
        return Verdict.INCONCLUSIVE
    return verdict


def doubtful(effect: Effect) -> bool:
    """Whether an effect that leaves out less allows no pass: it is beyond what is tolerated, or its middle beyond what must be found."""
    return effect.low > math.log1p(TOLERATED) or effect.log_ratio > math.log1p(TO_BE_FOUND)


def judge(effect: Effect, tolerated: float = TOLERATED, to_be_found: float = TO_BE_FOUND) -> Verdict:
    """What the interval says: beyond what is tolerated, below what must be found, or neither.

    *Improved* is as strong a word as *regressed*: its limit lies as far above the effect as the lower end lies below it.
    """
    if max(2 * effect.log_ratio - effect.low, effect.high) < -math.log1p(tolerated):
        return Verdict.IMPROVED
    if effect.low > math.log1p(tolerated):
        return Verdict.REGRESSED
    if effect.high < math.log1p(to_be_found):
        return Verdict.PASS
    return Verdict.INCONCLUSIVE


def detectable(standard_error: float, degrees_of_freedom: int, level: float, tolerated: float = TOLERATED) -> float:
    """The smallest true slow-down, as a fraction, that is found with a probability of ``POWER``: where the non-central t
    distribution of the estimate exceeds the critical value so often."""
    from scipy.special import nctdtrinc

    critical = t_quantile(degrees_of_freedom, 1 - level)
    shift = float(nctdtrinc(float(degrees_of_freedom), 1 - POWER, critical))
    return math.expm1(math.log1p(tolerated) + shift * standard_error)


def detectable_with(pairs: int, scatter: float, level: float, tolerated: float = TOLERATED) -> float:
    """``detectable`` for so many pairs whose d has the standard deviation ``scatter``, normally distributed."""
    cut = trimmed_pairs(pairs)
    left = pairs - 2 * cut
    # A Winsorised normal sample has less spread than the whole; the trimmed mean is nearly as exact as the mean.
    return detectable(scatter * math.sqrt(1 / pairs) * 1.03, left - 1, level, tolerated)
