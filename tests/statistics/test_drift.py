"""Whether steady samples are steady: faster, slower, or only wavering."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.statistics.drift import MOST, drawn_together, drift


@given(st.floats(1e-4, 1), st.integers(0, 2**32 - 1))
def test_wavering_is_no_drift_and_either_direction_is_one(seconds, seed):
    rng = np.random.default_rng(seed)
    wavering = seconds * np.exp(rng.uniform(-0.004, 0.004, 12))
    assert drift(wavering.tolist()) == ""
    assert drift((wavering * np.linspace(1.3, 1.0, 12)).tolist()) == "faster"
    assert drift((wavering * np.linspace(1.0, 1.3, 12)).tolist()) == "slower"
    assert drift(wavering[:5].tolist()) == ""


@given(st.lists(st.floats(0.1, 10), min_size=6, max_size=40))
def test_what_becomes_faster_becomes_slower_seen_from_its_end(samples):
    if drift(samples) == "faster":
        assert drift(samples[::-1]) in {"slower", "faster"}


@pytest.mark.parametrize("after", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(5))
def test_a_throttle_of_a_tenth_in_the_midst_of_a_trial_is_seen(after, seed):
    """Samples of 0.4 s, of which so many are at full speed: a trial of three seconds that is throttled after 1 to 2."""
    samples = 0.4 * np.exp(0.01 * np.random.default_rng(seed).standard_normal(8))
    samples[after:] *= 1.1
    assert drift(samples.tolist()) == "slower"


def test_noise_alone_seldom_drifts():
    rng = np.random.default_rng(4)
    found = [drift(np.exp(0.03 * rng.standard_normal(8)).tolist()) for _ in range(1000)]
    assert sum(one != "" for one in found) < 50


def test_very_many_samples_are_drawn_together():
    assert drawn_together([1.0] * 4000) == [1.0] * (4000 // 66)
    assert len(drawn_together([1.0] * (MOST + 1))) == MOST + 1
    assert drawn_together([2.0, 4.0], [1, 4]) == [2.0, 1.0]
    assert drawn_together([]) == []


def test_slow_queries_in_the_second_half_are_seen_through_their_scatter():
    rng = np.random.default_rng(5)
    queries = 1e-3 * np.exp(0.2 * rng.standard_normal(2000))
    assert drift(drawn_together(queries.tolist())) == ""
    queries[1000:] *= 1.1
    assert drift(drawn_together(queries.tolist())) == "slower"


def test_samples_of_no_time_drift_nowhere():
    assert drift([0.0] * 8) == ""
