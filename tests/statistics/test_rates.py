"""Rates, intervals and percentiles from samples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import NoFigure
from bench.record.figures import log_time
from bench.statistics.rates import LogRate, log_rate, needed_queries, percentile, pooled_rate, rank_interval, t_quantile
from tests.proof.pooling import coverage

EXTREMES = [math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 5e-324, 1e308]
wild = st.floats() | st.sampled_from(EXTREMES)
positive = st.floats(1e-9, 1e6)


def test_log_time_is_total_steady_time_per_image():
    assert math.exp(log_time([9.0, 1.0, 3.0], 1, 20)) == pytest.approx(4 / 40)


def test_log_time_of_preprocessing_counts_the_pixels_of_each_sample():
    assert math.exp(log_time([9.0, 1.0, 3.0], 1, [5, 10, 30])) == pytest.approx(4 / 40)


def test_the_rate_is_no_mean_of_rates_per_step():
    """Ten images in 1 s and ten in 9 s are 2 images per second, not the mean of 10 and 1.1."""
    assert log_rate([log_time([1.0, 9.0], 0, 10)]).rate == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("samples", "warmup", "items", "reason"),
    [
        ([], 0, 1, "no samples"),
        ([1.0, 1.0], 2, 1, "no samples after warm-up"),
        ([1.0, 1.0], 5, 1, "no samples after warm-up"),
        ([1.0], -1, 1, "warm-up"),
        ([1.0, math.nan], 0, 1, "NaN"),
        ([1.0, math.inf], 0, 1, "infinite"),
        ([math.inf, -math.inf], 0, 1, "NaN"),
        ([1.0, 0.0], 0, 1, "must take time"),
        ([3.0, -1.0], 0, 1, "must take time"),
        ([1.0], 0, 0, "holds 0 items"),
        ([1.0], 0, -3, "holds -3 items"),
        ([1.0, 1.0], 0, [5], "1 counts for 2 samples"),
        ([1.0, 1.0], 0, [5, 0], "holds 0 items"),
    ],
)
def test_no_figure_from_broken_samples(samples, warmup, items, reason):
    with pytest.raises(NoFigure, match=reason):
        log_time(samples, warmup, items)


@given(st.lists(wild, max_size=20), st.integers(-3, 25), st.integers(-2, 1000))
def test_wild_samples_give_a_finite_figure_or_none(samples, warmup, items):
    try:
        value = log_time(samples, warmup, items)
    except NoFigure:
        return
    assert math.isfinite(value)


@given(st.lists(wild, max_size=20))
def test_wild_log_times_give_a_finite_rate_or_none(values):
    try:
        estimate = log_rate(values).estimate()
    except NoFigure:
        return
    assert math.isfinite(estimate.value)
    if estimate.low is not None and estimate.high is not None:
        assert estimate.low <= estimate.value <= estimate.high


def test_interval_over_trials_is_students_on_the_logarithm():
    times = [math.log(0.010), math.log(0.011), math.log(0.012)]
    estimate = log_rate(times).estimate()
    half = 4.302652729911275 * np.std(times, ddof=1) / math.sqrt(3)  # t of 2 degrees of freedom at 0.975
    assert estimate.value == pytest.approx(math.exp(-np.mean(times)))
    assert estimate.low == pytest.approx(estimate.value * math.exp(-half))
    assert estimate.high == pytest.approx(estimate.value * math.exp(half))


def test_one_trial_has_a_rate_and_no_interval():
    log = log_rate([math.log(0.01)])
    assert log == LogRate(math.log(0.01), None, 0, 1)
    assert log.estimate().low is None
    assert log.rate == pytest.approx(100)


@pytest.mark.parametrize(("degrees", "expected"), [(1, 12.706204736), (4, 2.776445105), (30, 2.042272456)])
def test_t_quantiles_agree_with_the_tables(degrees, expected):
    assert t_quantile(degrees, 0.975) == pytest.approx(expected)


@given(st.lists(positive, min_size=2, max_size=8), st.floats(0.01, 100))
def test_slower_clocks_scale_the_rate_and_leave_the_interval_as_wide(times, factor):
    base = log_rate([math.log(time) for time in times]).estimate()
    slow = log_rate([math.log(time * factor) for time in times]).estimate()
    assert slow.value * factor == pytest.approx(base.value)
    assert slow.high / slow.value == pytest.approx(base.high / base.value, rel=1e-6)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    truth, covered, runs = math.log(0.02), 0, 1500
    for _ in range(runs):
        estimate = log_rate(list(truth + 0.03 * rng.standard_normal(4))).estimate()
        covered += estimate.low <= 50 <= estimate.high
    assert covered / runs == pytest.approx(0.95, abs=0.015)


def test_records_that_differ_are_covered_as_often_as_the_interval_says_and_not_if_their_trials_were_independent():
    """The larger simulation, whose table the documentation prints, is ``tests/proof/pooling.py``."""
    kept, naive, _ = coverage(records=5, within=0.02, repetitions=2000)
    assert kept == pytest.approx(0.95, abs=0.015)
    assert naive < 0.8


def test_a_pooled_rate_weighs_records_alike_whatever_the_number_of_their_trials():
    found = pooled_rate([("b", 0), ("a", 1), ("a", 0)], [3.0, 1.0, 2.0])
    assert (found.units, found.values, found.over) == ((("a", -1), ("b", -1)), (1.5, 3.0), "records")
    assert found.mean == pytest.approx(2.25)


def test_one_record_is_pooled_over_its_trials_in_their_order():
    found = pooled_rate([("a", 1), ("a", 0)], [1.0, 2.0])
    assert (found.units, found.values, found.over) == ((("a", 0), ("a", 1)), (2.0, 1.0), "trials")
    with pytest.raises(NoFigure):
        pooled_rate([], [])
    with pytest.raises(NoFigure):
        pooled_rate([("a", 0)], [1.0, 2.0])


# ---- percentiles ---------------------------------------------------------------------------------------------------


def test_queries_that_a_percentile_needs():
    assert [needed_queries(percent) for percent in (50, 90, 99)] == [6, 36, 368]


@pytest.mark.parametrize("percent", [50, 90, 99])
def test_ranks_exist_from_the_needed_number_on(percent):
    fewest = needed_queries(percent)
    assert rank_interval(fewest - 1, percent) is None
    low, high = rank_interval(fewest, percent)
    assert 1 <= low < high <= fewest


@pytest.mark.parametrize("percent", [50, 90, 99])
@pytest.mark.parametrize("queries", [400, 1000, 24_000])
def test_ranks_enclose_with_at_least_95_percent_and_little_more(queries, percent):
    from scipy.stats import binom

    low, high = rank_interval(queries, percent)
    coverage = binom.cdf(high - 1, queries, percent / 100) - binom.cdf(low - 1, queries, percent / 100)
    assert 0.95 <= coverage < 0.985


def test_latency_over_three_trials_takes_the_trial_as_its_unit():
    rng = np.random.default_rng(0)
    trials = [np.exp(math.log(scale) + 0.1 * rng.standard_normal(500)) for scale in (0.010, 0.011, 0.012)]
    found = percentile(trials, 50)
    assert found.method == "t over trials"
    assert found.queries == 1500
    medians = [np.median(trial) for trial in trials]
    assert found.latency.value == pytest.approx(np.exp(np.mean(np.log(medians))), rel=1e-3)
    # between processes there is more spread than within, and only the first kind of interval shows it
    assert found.latency.high / found.latency.low > 1.3


def test_latency_over_two_trials_pools_the_queries():
    trials = [np.linspace(0.01, 0.02, 500), np.linspace(0.01, 0.02, 500)]
    found = percentile(trials, 99)
    assert found.method == "order statistics"
    assert found.latency.low <= found.latency.value <= found.latency.high
    assert found.latency.value == pytest.approx(0.0199, abs=2e-5)


def test_short_trials_pool_their_queries():
    assert percentile([np.full(130, 0.01)] * 3, 99).method == "order statistics"


@pytest.mark.parametrize(("percent", "queries"), [(50, 5), (90, 35), (99, 367)])
def test_no_percentile_from_too_few_queries(percent, queries):
    with pytest.raises(NoFigure, match=f"found {queries}"):
        percentile([np.full(queries, 0.01)], percent)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_no_percentile_from_a_broken_query(bad):
    with pytest.raises(NoFigure, match="not a positive number"):
        percentile([np.array([0.01] * 400 + [bad])], 50)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=5), st.sampled_from([50, 90, 99]), st.integers(0, 9))
def test_percentiles_lie_within_their_interval(sizes, percent, seed):
    rng = np.random.default_rng(seed)
    trials = [rng.lognormal(size=size) for size in sizes]
    try:
        latency = percentile(trials, percent).latency
    except NoFigure:
        assert sum(sizes) < needed_queries(percent)
    else:
        assert latency.low <= latency.value <= latency.high
