"""Intervals of accuracies and areas: between 0 and 1, and nothing where they would say nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from bench.statistics.proportions import lower_limit, proportion, upper_limit

shares = st.floats(0, 1)


@given(st.lists(shares, min_size=1, max_size=8))
def test_intervals_lie_where_the_quantity_lives(values):
    found, limit = proportion(values), lower_limit(values)
    if found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.high - found.low <= 0.5 + 1e-9
    assert limit is None or 0 <= limit <= found.value


def test_seeds_that_scatter_widely_have_no_limit_below_zero():
    """Student's t on the accuracies themselves gave a lower limit of -0.22 here."""
    assert lower_limit([0.56, 0.12]) is None
    assert proportion([0.56, 0.12]).low is None


def test_seeds_that_agree_have_the_interval_of_their_logits():
    values = [0.86, 0.87, 0.88]
    logits = [math.log(value / (1 - value)) for value in values]
    low = np.mean(logits) - 4.302652729911275 * np.std(logits, ddof=1) / math.sqrt(3)  # t of 2 degrees of freedom at 0.975
    assert proportion(values).low == pytest.approx(1 / (1 + math.exp(-low)))
    one_sided = np.mean(logits) - 2.919985580355516 * np.std(logits, ddof=1) / math.sqrt(3)  # at 0.95
    assert lower_limit(values) == pytest.approx(1 / (1 + math.exp(-one_sided)))


def test_values_alike_or_at_an_end():
    assert (proportion([1.0, 1.0]).low, lower_limit([1.0, 1.0])) == (1.0, 1.0)
    assert (proportion([1.0, 0.9]).low, lower_limit([1.0, 0.9])) == (None, None)
    assert (proportion([0.9]).low, lower_limit([0.9])) == (None, None)


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(2000):
        logits = 1.9 + 0.2 * rng.standard_normal(4)
        found = proportion((1 / (1 + np.exp(-logits))).tolist())
        covered += found.low is not None and found.low <= 1 / (1 + math.exp(-1.9)) <= found.high
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("count", "among"), [(0, 6), (1, 20), (20, 20), (7, 138)])
def test_the_upper_limit_is_that_of_clopper_and_pearson(count, among):
    exact = binomtest(count, among).proportion_ci(0.95, method="exact").high
    assert upper_limit(count, among) == pytest.approx(exact)
