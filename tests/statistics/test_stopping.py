"""Trials are added until an interval is narrow, and the interval still covers the truth as often as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.statistics.rates import pooled_rate, t_quantile
from bench.statistics.stopping import half_width, is_wide, looked_at, trials_needed, widening
from tests.proof.stopping import coverage, stopped

ROUNDS = [("r0", number) for number in range(6)]
LOGS = [-4.0, -4.1, -3.9, -4.05, -3.95, -4.0]


@pytest.mark.parametrize(("scatter", "first"), [(0.01, 3), (0.05, 3), (0.1, 3), (0.1, 5)])
def test_intervals_of_a_run_that_stops_by_them_cover_the_truth(scatter: float, first: int):
    """The larger simulation, whose table the documentation prints, is ``tests/proof/stopping.py``."""
    assert coverage(2000, scatter, 0.05, first).covered > 0.935


def test_without_the_factor_they_would_not():
    assert coverage(2000, 0.1, 0.05, 3).as_it_stands < 0.92


def test_the_simulation_stops_as_the_rule_does():
    _, took = stopped(1, 0.1, 0.08, 3, seed=5)
    rng = np.random.default_rng(5)
    rng.standard_normal(1)  # the pace, which does not drift
    drawn: list[float] = []
    while len(drawn) < 3 or is_wide(drawn, 8.0):
        drawn.append(0.1 * float(rng.standard_normal(1)[0]))
        rng.standard_normal(1)
    assert len(drawn) == took[0] > 3


def test_fewer_than_three_trials_are_never_enough():
    assert is_wide([1.0, 1.0], 50.0)
    assert not is_wide([1.0, 1.0, 1.0], 0.1)


def test_a_rate_that_was_looked_at_has_the_interval_that_the_rule_goes_by():
    rate = pooled_rate(ROUNDS, LOGS)
    assert looked_at(rate).standard_error == pytest.approx(rate.standard_error * widening(6))
    width = 100 * half_width(looked_at(rate))
    assert is_wide(LOGS, width - 1e-6)
    assert not is_wide(LOGS, width + 1e-6)
    records = pooled_rate([("a", 0), ("b", 0)], [1.0, 2.0])
    assert looked_at(records) == records


def test_the_trials_that_would_be_needed():
    rate = pooled_rate(ROUNDS, LOGS)
    needed = trials_needed(rate, 5.0)
    assert needed is not None
    scatter = float(np.std(LOGS, ddof=1))

    def width(trials: int) -> float:
        return math.expm1(t_quantile(trials - 1, 0.975) * scatter * widening(trials) / math.sqrt(trials))

    assert width(needed) <= 0.05 < width(needed - 1)
    assert trials_needed(rate, 100.0) == 6
    assert trials_needed(looked_at(rate), 5.0) == needed
    assert trials_needed(rate, 0.01) is None
    assert trials_needed(pooled_rate(ROUNDS[:1], LOGS[:1]), 5.0) is None
