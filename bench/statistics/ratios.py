"""Ratios of two rates, and how sure they are.

Trials of one run with the same number are neighbours in time: drift, heat and other work hit both alike and cancel in their ratio. So
where two rates have units in common, rounds of one record or records, the unit of their ratio is that pair, and the interval is Student's t
over the logarithms of the pairs' ratios. Units that only one of them has say nothing of the ratio. Rates without enough common units are
taken for independent (Welch, Biometrika 34:28, 1947).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.statistics.rates import CONFIDENCE, Estimate, LogRate, Place, exp_within, log_rate, t_quantile

Pairing = Literal["rounds", "records", "none"]


@dataclass(frozen=True)
class Ratio:
    """How many times as high one rate is as another, with its 95 % interval; none where a side has a single unit."""

    factor: Estimate
    paired: Pairing
    n: int  # pairs; 0 where there are none


FEWEST_SHARED = 3
"""Common units that make pairs where rates have others too; two give too wide an interval. Rates of the same two units are paired."""


def shared_units(*rates: LogRate) -> tuple[Place, ...]:
    """Return the units that all rates have in common, in rising order; none where they are too few to be paired."""
    units = rates[0].units
    if all(rate.units == units for rate in rates[1:]):
        return units if len(units) > 1 else ()
    if any(
        len(set(rate.units)) < len(rate.units) for rate in rates
    ):  # a run that was extended twice: rounds of two sessions
        return ()
    common = set(units).intersection(*(rate.units for rate in rates[1:]))
    return tuple(sorted(common)) if len(common) >= FEWEST_SHARED else ()


def of_units(rate: LogRate, units: Sequence[Place]) -> LogRate:
    """Return the rate of these of its units alone."""
    if rate.units == units:
        return rate
    known = dict(zip(rate.units, rate.values, strict=True))
    values = tuple(known[unit] for unit in units)
    return replace(log_rate(values), over=rate.over, units=tuple(units), values=values)


def around(value: float, logs: Sequence[float]) -> Estimate:
    """The ratio ``value`` with Student's interval over the pairs' log-ratios ``logs``, two or more of them."""
    spread = float(np.std(np.asarray(logs, np.float64), ddof=1)) / math.sqrt(len(logs))
    half = t_quantile(len(logs) - 1, 0.5 + CONFIDENCE / 2) * spread
    return Estimate(value, value * exp_within(-half), value * exp_within(half))


def ratio(slow: LogRate, quick: LogRate) -> Ratio:
    """The rate of ``quick`` over that of ``slow``."""
    units = shared_units(slow, quick)
    if units:
        slow, quick = of_units(slow, units), of_units(quick, units)
    value = math.exp(slow.mean - quick.mean)
    if units:
        logs = [one - other for one, other in zip(slow.values, quick.values, strict=True)]
        return Ratio(around(value, logs), "records" if slow.over == "records" else "rounds", len(logs))
    if slow.standard_error is None or quick.standard_error is None:
        return Ratio(Estimate(value), "none", 0)
    parts = [slow.standard_error**2, quick.standard_error**2]
    degrees = (slow.degrees_of_freedom, quick.degrees_of_freedom)
    weights = sum(part**2 / own for part, own in zip(parts, degrees, strict=True))
    freedom = max(int(sum(parts) ** 2 / weights), 1) if weights > 0 else 1
    half = t_quantile(freedom, 0.5 + CONFIDENCE / 2) * math.sqrt(sum(parts))
    return Ratio(Estimate(value, value * exp_within(-half), value * exp_within(half)), "none", 0)
