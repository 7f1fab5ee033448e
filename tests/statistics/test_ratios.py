"""Ratios of rates: paired where their units are the same, and covered as often as their intervals say."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from bench.projection.assumptions import Assumptions
from bench.projection.counted import Decoding, MeasuredRates
from bench.projection.model import speed_up
from bench.statistics.rates import LogRate, log_rate, pooled_rate
from bench.statistics.ratios import around, ratio, shared_units

ROUNDS = [("r0", number) for number in range(5)]
DRIFT = [0.0, 0.1, 0.2, 0.3, 0.4]


def drifting(level: float, seed: int, places: list[tuple[str, int]] = ROUNDS) -> LogRate:
    """A rate whose rounds become slower, by as much for whatever is measured in them."""
    noise = 0.01 * np.random.default_rng(seed).standard_normal(len(places))
    return pooled_rate(places, [level + drift + float(extra) for drift, extra in zip(DRIFT, noise, strict=False)])


def test_what_hits_a_whole_round_cancels_in_a_ratio():
    slow, quick = drifting(-4.0, 1), drifting(-5.0, 2)
    found = ratio(slow, quick)
    assert (found.paired, found.n) == ("rounds", 5)
    assert found.factor.value == pytest.approx(math.e, rel=0.02)
    assert found.factor.high / found.factor.low < 1.06
    other = ratio(slow, drifting(-5.0, 2, [("r1", number) for number in range(5)]))
    assert (other.paired, other.n) == ("none", 0)
    assert other.factor.value == found.factor.value
    assert other.factor.high / other.factor.low > 1.5


def test_the_interval_of_a_ratio_is_students_over_the_rounds_log_ratios():
    slow, quick = pooled_rate(ROUNDS[:3], [1.0, 2.0, 3.0]), pooled_rate(ROUNDS[:3], [0.5, 1.0, 3.0])
    half = 4.302652729911275 * np.std([0.5, 1.0, 0.0], ddof=1) / math.sqrt(3)
    found = ratio(slow, quick).factor
    assert found.value == pytest.approx(math.exp(0.5))
    assert found.low == pytest.approx(math.exp(0.5 - half))
    assert found.high == pytest.approx(math.exp(0.5 + half))


def test_records_pair_as_rounds_do():
    places = [(name, number) for name in ("a", "b", "c") for number in range(2)]
    slow = pooled_rate(places, [1.0, 1.2, 2.0, 2.2, 3.0, 3.2])
    quick = pooled_rate(places, [0.0, 0.2, 1.0, 1.2, 2.1, 2.1])
    assert (ratio(slow, quick).paired, ratio(slow, quick).n) == ("records", 3)


def test_rates_of_other_rounds_are_not_paired():
    three = pooled_rate(ROUNDS[:3], [1.0, 2.0, 3.0])
    assert not shared_units(three, pooled_rate(ROUNDS[1:4], [1.0, 2.0, 3.0])), "two common rounds are too few"
    assert not shared_units(three, log_rate([1.0, 2.0, 3.0]))
    assert not shared_units(pooled_rate(ROUNDS[:1], [1.0]), pooled_rate(ROUNDS[:1], [1.0]))
    twice = pooled_rate([*ROUNDS[:4], ROUNDS[3]], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert not shared_units(twice, pooled_rate(ROUNDS[:4], [1.0, 2.0, 3.0, 4.0])), "rounds of two sessions have one number"
    assert ratio(three, log_rate([1.0])).factor.low is None


def test_rounds_that_only_one_side_has_say_nothing_of_a_ratio():
    """As in a run that adds trials to the cases that scatter: its later rounds, by which the machine has slowed down, have no partner."""
    slow, quick = drifting(-4.0, 1), drifting(-5.0, 2, ROUNDS[:3])
    found, alike = ratio(slow, quick), ratio(drifting(-4.0, 1), drifting(-5.0, 2))
    assert (found.paired, found.n) == ("rounds", 3)
    assert found.factor.value == pytest.approx(alike.factor.value, rel=0.02)
    assert math.exp(slow.mean - quick.mean) > 1.05 * alike.factor.value
    fewer = {"infer": drifting(-7.0, 4, ROUNDS[:3])}
    all_fewer = [rates(level, seed).of_units(tuple(ROUNDS[:3])) for level, seed in ((-4.0, 1), (-6.0, 3))]
    factor, _ = speed_up(rates(-4.0, 1), rates(-6.0, 3, **fewer), Assumptions(), 24)
    expected, _ = speed_up(*all_fewer, Assumptions(), 24)
    assert dataclasses.astuple(factor) == pytest.approx(dataclasses.astuple(expected))


def test_paired_ratios_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(3)
    covered, runs = 0, 2000
    for _ in range(runs):
        drift = 0.2 * rng.standard_normal(4)
        logs = [(level + drift + 0.03 * rng.standard_normal(4)).tolist() for level in (math.log(2.0), 0.0)]
        found = ratio(*(pooled_rate(ROUNDS[:4], values) for values in logs)).factor
        covered += found.low <= 2.0 <= found.high
    assert covered / runs == pytest.approx(0.95, abs=0.015)


def rates(level: float, seed: int, **changes: object) -> MeasuredRates:
    fields = {
        "train": drifting(level, seed), "infer": drifting(level - 1, seed + 1), "decode": Decoding(drifting(-6.0, 9), 2), "start_up": 3.0,
        "infer_start_up": 2.0, "shares_cores": True,
    }  # fmt: skip
    return MeasuredRates(**(fields | changes))


def test_a_speed_up_within_one_run_is_paired_by_rounds():
    paired, _ = speed_up(rates(-4.0, 1), rates(-6.0, 3), Assumptions(), 24)
    elsewhere = [("r1", number) for number in range(5)]
    others = {"train": drifting(-6.0, 3, elsewhere), "infer": drifting(-7.0, 4, elsewhere)}
    apart, _ = speed_up(rates(-4.0, 1), rates(-6.0, 3, **others), Assumptions(), 24)
    assert paired.value == apart.value
    assert paired.low < paired.value < paired.high
    assert paired.high / paired.low < 1.1 < apart.high / apart.low


def test_pairs_without_scatter_give_a_point():
    assert around(2.0, [0.5, 0.5, 0.5]) == around(2.0, [0.1, 0.1])
    assert around(2.0, [0.5, 0.5]).low == 2.0
