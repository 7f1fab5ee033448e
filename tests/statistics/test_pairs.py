"""Verdicts on pairs: what the functions promise, and a small form of the simulation in tests/proof/power.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, trim_mean, ttest_ind
from scipy.stats import t as student

from bench.errors import NoFigure
from bench.statistics.pairs import (
    ERROR_LEVEL,
    LOOKS,
    Effect,
    Verdict,
    detectable,
    detectable_with,
    effect_of,
    judge,
    judge_pairs,
    mean_effect,
    pair_difference,
    plan_looks,
    total_difference,
    welch,
)
from tests.support.checks import many
from tests.support.noise import ORDERED, PERIODIC, SPIKY, TYPICAL, Machine, Stall

CHECKS = 1500
MACHINES = {"typical": TYPICAL, "spiky processes": SPIKY, "order in turns": ORDERED, "periodic": PERIODIC}


def effect(low: float, high: float) -> Effect:
    return Effect((low + high) / 2, low, high, 0.01, 9, 10)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.09, -0.03, Verdict.IMPROVED),
        (-0.09, -0.01, Verdict.PASS),
        (-0.01, 0.04, Verdict.PASS),
        (0.01, 0.06, Verdict.INCONCLUSIVE),
        (-0.2, 0.2, Verdict.INCONCLUSIVE),
        (0.021, 0.04, Verdict.REGRESSED),
        (0.03, 0.3, Verdict.REGRESSED),
    ],
)
def test_judging(low, high, verdict):
    assert judge(effect(low, high)) is verdict


@pytest.mark.parametrize(
    ("trimmed", "total", "verdict"),
    [
        ((-0.01, 0.01), (-0.1, 0.15), Verdict.PASS),
        ((-0.01, 0.01), (0.06, 0.2), Verdict.REGRESSED),
        ((-0.01, 0.01), (0.03, 0.05), Verdict.INCONCLUSIVE),
        ((-0.01, 0.01), (-0.1, 0.25), Verdict.INCONCLUSIVE),
        ((-0.2, -0.1), (0.06, 0.2), Verdict.REGRESSED),
        ((0.03, 0.05), (-0.5, -0.1), Verdict.REGRESSED),
        ((-0.2, 0.2), (-0.01, 0.01), Verdict.INCONCLUSIVE),
    ],
)
def test_what_leaves_out_less_only_adds_to_a_verdict(trimmed, total, verdict):
    nothing = effect(-0.1, 0.1)
    assert judge_pairs(effect(*trimmed), effect(*total), nothing) is verdict
    # A few pairs that are far off are a reason for doubt, never one for an alarm.
    doubted = Verdict.INCONCLUSIVE if verdict is Verdict.REGRESSED and trimmed[0] < 0.02 else verdict
    assert judge_pairs(effect(*trimmed), nothing, effect(*total)) is doubted


def test_one_candidate_process_in_ten_that_takes_twice_as_long_passes_only_where_it_is_not_met():
    outcomes = many(6, Machine(bad_candidates=0.1), 0.0, 400)
    assert outcomes.fraction(Verdict.PASS) < 0.9**6 + 0.03, "six pairs meet none of them in 53 % of all checks"


def test_a_stall_now_and_then_does_not_pass():
    outcomes = many(5, TYPICAL, 0.0, 300, stall=Stall(5, 2.0))
    assert outcomes.fraction(Verdict.PASS) < 0.02
    assert outcomes.fraction(Verdict.REGRESSED) > 0.7


def test_an_interval_ends_at_the_level_of_either_verdict():
    values = np.random.default_rng(2).normal(0.03, 0.02, 10)
    for effect in (effect_of, mean_effect):
        narrow, wide, both = effect(values, 0.02), effect(values, 0.001), effect(values, 0.001, 0.02)
        assert (both.low, both.high) == (wide.low, narrow.high)
    assert judge(Effect(-0.05, -0.10, -0.03, 0.01, 9, 10)) is Verdict.PASS, "improved at the level of a pass only"


@pytest.mark.parametrize(("slowdown", "most"), [(0.0, 0.15), (0.05, 0.02)])
def test_a_check_of_many_cases_passes_as_if_it_had_one(slowdown, most):
    """Unchanged code passes; one slower case among five does not, and its level is not divided by five."""
    outcomes = many(8, TYPICAL, slowdown, 200, cases=5, slower=1)
    failed = outcomes.fraction(Verdict.INCONCLUSIVE) if slowdown == 0 else outcomes.fraction(Verdict.PASS)
    assert failed <= most


def test_the_error_level_is_divided_among_looks_and_that_of_an_alarm_among_cases():
    for most in range(LOOKS[0], 100):
        for cases in (1, 3):
            looks = plan_looks(most, cases)
            assert looks[-1].pairs == most - most % 2
            assert all(look.pairs % 2 == 0 for look in looks), "either arm begins as many pairs"
            assert [look.pairs for look in looks] == sorted({look.pairs for look in looks})
            assert cases * sum(look.level for look in looks) == pytest.approx(ERROR_LEVEL)
            assert sum(look.pass_level for look in looks) == pytest.approx(ERROR_LEVEL)
    with pytest.raises(ValueError, match="fewer than the smallest look"):
        plan_looks(LOOKS[0] - 1)


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=40), st.floats(1e-4, 0.2))
def test_an_effect_is_the_trimmed_mean_within_its_interval(values, level):
    found = effect_of(values, level)
    cut = max(1, len(values) // 10)
    assert found.log_ratio == pytest.approx(trim_mean(values, cut / len(values) + 1e-12), abs=1e-12)
    assert found.low <= found.log_ratio <= found.high
    assert found.n == len(values)
    mirrored = effect_of([-value for value in values], level)
    assert mirrored.low == pytest.approx(-found.high, abs=1e-12)


def test_the_interval_of_trimmed_pairs_agrees_with_scipys_trimmed_t_test():
    """Against a second sample that is constant, Yuen's test is the one-sample test."""
    values = np.random.default_rng(0).normal(0.03, 0.02, 10)
    found = effect_of(values, 0.01)
    zeros = np.zeros(1000)
    theirs = ttest_ind(values, zeros, equal_var=False, trim=0.1)
    assert found.log_ratio / found.standard_error == pytest.approx(theirs.statistic, rel=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40), st.floats(1e-4, 0.2))
def test_the_mean_effect_leaves_no_pair_out_and_has_students_interval(values, level):
    found = mean_effect(values, level)
    assert found.log_ratio == pytest.approx(np.mean(values), abs=1e-12)
    if found.standard_error > 1e-9:
        low, high = student.interval(
            1 - 2 * level, len(values) - 1, np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5
        )
        assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))


def test_one_process_that_is_badly_off_moves_little():
    quiet = [0.001 * value for value in range(-5, 5)]
    assert abs(effect_of([*quiet[:-1], 3.0], 0.01).log_ratio - effect_of(quiet, 0.01).log_ratio) < 0.001


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30), st.floats(0.5, 2))
def test_a_pair_is_the_ratio_of_its_blocks(base, ratio):
    candidate = [ratio * seconds for seconds in base]
    assert pair_difference(base, candidate) == pytest.approx(math.log(ratio), abs=1e-9)
    assert total_difference(base, candidate) == pytest.approx(math.log(ratio), abs=1e-9)


@given(st.integers(1, 10), st.floats(0.7, 1.5), st.floats(0.5, 2), st.booleans())
def test_what_the_order_does_to_a_block_cancels(rounds, own, ratio, swapped):
    """The arm that ends a round begins the next, so that its block follows one of its own."""
    times = np.array([np.ones(2 * rounds), np.full(2 * rounds, ratio)])
    times[int(swapped), ::2] *= own
    times[1 - int(swapped), 1::2] *= own
    assert pair_difference(*times.tolist()) == pytest.approx(math.log(ratio), abs=1e-9)


@pytest.mark.parametrize(
    ("base", "candidate"),
    [([], []), ([1.0], [1.0, 1.0]), ([0.0], [1.0]), ([-1.0], [1.0]), ([math.nan], [1.0]), ([1.0], [math.inf])],
)
def test_blocks_that_make_no_pair(base, candidate):
    for difference in (pair_difference, total_difference):
        with pytest.raises(NoFigure):
            difference(base, candidate)


@pytest.mark.parametrize("values", [[], [0.1], [0.1, math.nan], [0.1, math.inf]])
@pytest.mark.parametrize("effect", [effect_of, mean_effect])
def test_pairs_that_make_no_effect(values, effect):
    with pytest.raises(NoFigure):
        effect(values, 0.01)


def test_welch_agrees_with_scipy():
    rng = np.random.default_rng(1)
    one, two = rng.normal(0, 1, 7), rng.normal(0.5, 2, 5)
    theirs = ttest_ind(two, one, equal_var=False)
    found = welch(one, two, 0.025)
    assert found.log_ratio / found.standard_error == pytest.approx(theirs.statistic)
    with pytest.raises(NoFigure):
        welch([1.0], [1.0, 2.0], 0.01)


def test_more_pairs_and_less_scatter_detect_less():
    found = [detectable_with(pairs, 0.02, plan_looks(pairs)[-1].level) for pairs in (6, 10, 20, 40)]
    assert found == sorted(found, reverse=True)
    assert detectable(0.001, 9, 0.01) < detectable(0.01, 9, 0.01)
    assert detectable(1e-9, 9, 0.01) == pytest.approx(0.02, abs=1e-6)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("slowdown", [0.0, 0.02])
def test_false_alarms_stay_below_their_bound(machine, slowdown):
    outcomes = many(1, machine, slowdown, CHECKS)
    alarms = outcomes.verdicts[Verdict.REGRESSED]
    # Of the full simulation's 2.5 %, what chance allows 1,500 checks.
    assert binomtest(alarms, CHECKS, 0.025, alternative="greater").pvalue > 0.001
    assert outcomes.fraction(Verdict.IMPROVED) < 0.01


def test_a_slow_down_of_five_per_cent_is_found_and_unchanged_code_passes():
    assert many(2, TYPICAL, 0.0, CHECKS).scatter == pytest.approx(0.02, abs=0.002)
    assert many(3, TYPICAL, 0.05, CHECKS).fraction(Verdict.REGRESSED) > 0.8
    unchanged = many(4, TYPICAL, 0.0, CHECKS)
    assert unchanged.fraction(Verdict.INCONCLUSIVE) < 0.2
    assert unchanged.fraction(Verdict.PASS) > 0.8
