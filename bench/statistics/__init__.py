"""From samples to figures with intervals, and to verdicts. Pure functions on numbers: they know no record and no report.

The unit is the process: steps of one process are not independent, and processes differ.
"""

from __future__ import annotations

from bench.statistics.changes import FEWEST as FEWEST_RECORDS
from bench.statistics.changes import change_points
from bench.statistics.effort import Variation, samples_per_trial, variation
from bench.statistics.pairs import (
    ERROR_LEVEL,
    LOOKS,
    TO_BE_FOUND,
    TOLERATED,
    Effect,
    Look,
    Verdict,
    detectable,
    detectable_with,
    effect_of,
    judge,
    judge_pairs,
    pair_difference,
    plan_looks,
    total_difference,
    welch,
)
from bench.statistics.rates import (
    CONFIDENCE,
    PERCENTILES,
    Estimate,
    LogRate,
    NoFigure,
    Percentile,
    log_rate,
    log_time,
    needed_queries,
    percentile,
    rank_interval,
    t_quantile,
)
from bench.statistics.sessions import FEWEST_SESSIONS, predicted
from bench.statistics.warmup import steady_from

__all__ = [
    "CONFIDENCE",
    "ERROR_LEVEL",
    "FEWEST_RECORDS",
    "FEWEST_SESSIONS",
    "LOOKS",
    "PERCENTILES",
    "TOLERATED",
    "TO_BE_FOUND",
    "Effect",
    "Estimate",
    "LogRate",
    "Look",
    "NoFigure",
    "Percentile",
    "Variation",
    "Verdict",
    "change_points",
    "detectable",
    "detectable_with",
    "effect_of",
    "judge",
    "judge_pairs",
    "log_rate",
    "log_time",
    "needed_queries",
    "pair_difference",
    "percentile",
    "plan_looks",
    "predicted",
    "rank_interval",
    "samples_per_trial",
    "steady_from",
    "t_quantile",
    "total_difference",
    "variation",
    "welch",
]
