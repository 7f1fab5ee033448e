"""Rates and latencies with their intervals.

Each trial gives one number, y = ln(steady seconds per item), and every interval of a rate is Student's t on that scale. Trials
of one record share its hour, its neighbours and its memory layout, so several records are pooled by records: the unit is then the mean
of a record's trials, as in ``bench.statistics.sessions``. With a single record the unit is the trial, and the interval says nothing
of other runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.errors import NoFigure

CONFIDENCE = 0.95
PERCENTILES = (50, 90, 99)
_TRIALS_FOR_LATENCY = 3
_LARGEST_LOG = 200.0  # e^200 s per item: no measurement
_LARGEST_EXPONENT = 700.0  # exp of it is still finite


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; no interval where a single trial cannot give one."""

    value: float
    low: float | None = None
    high: float | None = None

    def scaled(self, factor: float) -> Estimate:
        """The figure and its interval times a positive number."""
        return Estimate(
            self.value * factor,
            None if self.low is None else self.low * factor,
            None if self.high is None else self.high * factor,
        )


Unit = Literal["trials", "records"]
"""What the interval of a pooled figure is over."""

Place = tuple[str, int]
"""Where a trial comes from: its record's identifier, and its number among the trials of its case."""


@dataclass(frozen=True)
class LogRate:
    """A rate as the mean over units, trials or records, of y = ln(seconds per item)."""

    mean: float
    standard_error: float | None  # of the mean; None with a single unit
    degrees_of_freedom: int
    n: int  # units
    over: Unit = "trials"
    units: tuple[Place, ...] = ()  # in rising order; a record as a whole has the number -1; empty where they are not known
    values: tuple[float, ...] = ()  # y of each unit

    @property
    def rate(self) -> float:
        """Items per second: exp(-mean)."""
        return math.exp(-self.mean)

    def estimate(self, confidence: float = CONFIDENCE) -> Estimate:
        """Items per second, with the t-interval over the units."""
        if self.standard_error is None:
            return Estimate(self.rate)
        half = t_quantile(self.degrees_of_freedom, 0.5 + confidence / 2) * self.standard_error
        return Estimate(self.rate, exp_within(-self.mean - half), exp_within(-self.mean + half))


Method = Literal["t over trials", "t over records", "order statistics"]


@dataclass(frozen=True)
class Percentile:
    """A percentile of single-stream latency, in seconds, and how its interval was found."""

    percent: int
    latency: Estimate
    queries: int
    method: Method


def log_rate(log_times: Sequence[float]) -> LogRate:
    """The rate of a case from one y per unit, which are independent. Raises NoFigure without any."""
    n = len(log_times)
    if n == 0:
        raise NoFigure("no trial gave a figure")
    values = np.asarray(log_times, dtype=np.float64)
    if not np.all(np.isfinite(values)) or float(np.abs(values).max()) > _LARGEST_LOG:
        raise NoFigure("a trial whose time per item is no time")
    if n == 1:
        return LogRate(float(values[0]), None, 0, 1)
    return LogRate(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n), n - 1, n)


def pooled_rate(places: Sequence[Place], log_times: Sequence[float]) -> LogRate:
    """The rate of a case from y of each trial and where it comes from: over records where there are several, else over trials.

    Each record counts alike, however many trials it has: between-record scatter, which the interval is made of, is the larger part.
    Raises NoFigure without trials.
    """
    if len(places) != len(log_times):
        raise NoFigure(f"{len(log_times)} times of {len(places)} trials")
    sorted_trials = sorted(zip(places, log_times, strict=True))
    by_record: dict[str, list[float]] = {}
    for (record, _), value in sorted_trials:
        by_record.setdefault(record, []).append(value)
    if len(by_record) < 2:
        values = tuple(value for _, value in sorted_trials)
        return replace(log_rate(values), units=tuple(place for place, _ in sorted_trials), values=values)
    values = tuple(sum(found) / len(found) for found in by_record.values())
    units = tuple((record, -1) for record in by_record)
    return replace(log_rate(values), over="records", units=units, values=values)


@lru_cache(maxsize=4096)
def t_quantile(degrees_of_freedom: int, probability: float) -> float:
    """Student's t quantile (scipy.special, since scipy.stats takes half a second to import)."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, probability))


def needed_queries(percent: int, confidence: float = CONFIDENCE) -> int:
    """The fewest queries whose order statistics can bracket a percentile: 6, 36 and 368 for p50, p90 and p99.

    Both tails must fit: p^n and (1-p)^n at most (1-confidence)/2 (Conover, Practical Nonparametric Statistics, 3.2).
    """
    tail, p = (1 - confidence) / 2, percent / 100
    return math.ceil(math.log(tail) / math.log(max(p, 1 - p)))


@lru_cache(maxsize=1024)
def rank_interval(queries: int, percent: int, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Ranks, counted from 1, whose order statistics enclose the percentile; None with too few queries.

    The number of queries below the percentile is binomial (n, p); ranks l and u with P(B < l) and P(B >= u) at most
    (1-confidence)/2 each enclose it.
    """
    from scipy.special import bdtr

    if queries < needed_queries(percent, confidence):
        return None
    p, tail = percent / 100, (1 - confidence) / 2
    reach = 6 * math.sqrt(queries * p * (1 - p)) + 2
    first, last = max(0, math.floor(queries * p - reach)), min(queries - 1, math.ceil(queries * p + reach))
    below = np.asarray(bdtr(np.arange(first, last + 1, dtype=np.float64), queries, p))
    lower = first + int(np.searchsorted(below, tail, side="right"))
    upper = first + int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return max(lower, 1), min(upper, queries)


def percentile(trials: Sequence[NDArray[np.float64]], percent: int, places: Sequence[Place] | None = None) -> Percentile:
    """A percentile of query latency over trials of one case, each an array (queries,) of seconds.

    Queries of one process are not independent. So with three trials or several records, each trial long enough to show the
    percentile by itself, the figure is the geometric mean of the trials' percentiles with the interval of ``pooled_rate``. Otherwise all
    queries are pooled and the interval is that of the order statistics, which takes queries for independent and is
    then rather too narrow. ``places`` says where each trial comes from; without it, all are of one record. Raises NoFigure with too few
    queries for either.
    """
    places = [("", number) for number in range(len(trials))] if places is None else places
    queries = sum(len(trial) for trial in trials)
    fewest = needed_queries(percent)
    if queries < fewest:
        raise NoFigure(f"p{percent} needs {fewest} queries, found {queries}")
    for trial in trials:
        if not (np.all(np.isfinite(trial)) and np.all(trial > 0)):
            raise NoFigure("a query whose time is not a positive number")
    several = len(trials) >= _TRIALS_FOR_LATENCY or len({record for record, _ in places}) > 1
    if several and min(len(trial) for trial in trials) >= fewest:
        slowness = pooled_rate(places, [-math.log(_order_statistic(np.sort(trial), percent)) for trial in trials])
        over: Method = "t over records" if slowness.over == "records" else "t over trials"
        return Percentile(percent, slowness.estimate(), queries, over)
    pooled = np.sort(np.concatenate(list(trials)))
    ranks = rank_interval(queries, percent)
    assert ranks is not None
    low, high = float(pooled[ranks[0] - 1]), float(pooled[ranks[1] - 1])
    return Percentile(percent, Estimate(_order_statistic(pooled, percent), low, high), queries, "order statistics")


def _order_statistic(ordered: NDArray[np.float64], percent: int) -> float:
    """The smallest observed value with at least ``percent`` % of the values at or below it."""
    return float(ordered[max(-(-len(ordered) * percent // 100), 1) - 1])


def exp_within(value: float) -> float:
    """e to the power of ``value``, kept within what a float holds."""
    return math.exp(min(max(value, -_LARGEST_EXPONENT), _LARGEST_EXPONENT))
