"""Lasting changes in series of nights, and a small form of the simulation in tests/proof/nights.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from bench.errors import NoFigure
from bench.statistics.monitoring import (
    ALARM_RATE,
    FEWEST_BEFORE,
    Wander,
    effect_of_last,
    lasting_shifts,
    variance_of_mean,
    wander_of,
)
from tests.support.nights import alarm_rate, autoregressive

SERIES = 100


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0, 0.95))
def test_errors_are_those_of_an_autoregressive_series(before, after, phi):
    count = before + after
    covariance = phi ** np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    weights = np.r_[np.full(before, -1 / before), np.full(after, 1 / after)]
    assert Wander(0.02, phi, 9).error(before, after) == pytest.approx(
        0.02 * np.sqrt(weights @ covariance @ weights), rel=1e-6
    )
    assert variance_of_mean(before, phi) == pytest.approx(covariance[:before, :before].mean(), rel=1e-6)


def test_the_wander_of_a_long_series_is_found_in_stretches_of_different_levels():
    rng = np.random.default_rng(0)
    stretches = [autoregressive(rng, 400, 0.03, 0.6) + level for level in (0.0, 0.5, -0.2)]
    found = wander_of(stretches)
    assert found.deviation == pytest.approx(0.03, rel=0.15)
    assert found.autocorrelation == pytest.approx(0.62, abs=0.07), "a standard error above what it is"


@pytest.mark.parametrize("autocorrelation", [0.0, 0.5, 0.8])
def test_unchanged_series_raise_no_more_alarms_than_stated(autocorrelation):
    alarms = alarm_rate(1, SERIES, 0.03, autocorrelation)
    assert binomtest(alarms, SERIES, ALARM_RATE, alternative="greater").pvalue > 0.001


def test_bad_nights_are_no_lasting_change():
    assert alarm_rate(2, 30, 0.01, 0.3, bad=True) <= 5
    values = np.random.default_rng(3).normal(0, 0.01, 30)
    for night in (12, 20, 29):
        values[night] += 0.5
    assert lasting_shifts(values) == []


@pytest.mark.parametrize("step", [0.1, -0.1])
def test_a_lasting_change_is_found_on_its_second_night(step):
    values = np.random.default_rng(4).normal(0, 0.005, 32)
    values[30:] += step
    assert lasting_shifts(values[:31]) == []
    (shift,) = lasting_shifts(values)
    assert shift.at == 30
    assert shift.log_ratio == pytest.approx(step, abs=0.02)


def test_changes_after_changes_are_found():
    values = np.random.default_rng(5).normal(0, 0.003, 40)
    values[15:] += 0.1
    values[25:] -= 0.3
    assert [shift.at for shift in lasting_shifts(values)] == [15, 25]


def test_what_is_tolerated_is_no_change():
    values = np.random.default_rng(6).normal(0, 0.0005, 40)
    values[20:] += 0.015
    assert lasting_shifts(values) == []


def test_too_few_records_tell_nothing():
    assert lasting_shifts([0.0] * FEWEST_BEFORE + [1.0]) == []
    with pytest.raises(NoFigure, match=f"expected {FEWEST_BEFORE} or more"):
        effect_of_last(np.zeros(FEWEST_BEFORE + 1), [0], 2)
    with pytest.raises(NoFigure, match="no record before"):
        effect_of_last(np.zeros(2), [0], 2)
    assert effect_of_last(np.zeros(FEWEST_BEFORE + 2), [0], 2).log_ratio == 0
