"""Change points, warm-up, sessions and the length of trials."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import NoFigure
from bench.statistics.changes import change_points, segment_starts
from bench.statistics.effort import Variation, samples_per_trial, variation
from bench.statistics.pairs import Verdict, judge
from bench.statistics.sessions import FEWEST_SESSIONS, predicted
from bench.statistics.warmup import steady_from


def series(*levels: tuple[float, int], deviation: float = 0.01, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(level, deviation, count) for level, count in levels])


def test_a_level_shift_is_found_where_it_is():
    found = [change_points(series((0.0, 15), (0.1, 15), seed=seed)) for seed in range(100)]
    assert all(any(abs(at - 15) <= 1 for at in cuts) for cuts in found)
    assert sum(len(cuts) == 1 for cuts in found) >= 90


def test_noise_alone_seldom_changes():
    changed = sum(bool(change_points(series((0.0, 30), seed=seed))) for seed in range(200))
    assert changed <= 10


def cost(values: np.ndarray, starts: Sequence[int], penalty: float) -> float:
    edges = [0, *starts, len(values)]
    return sum(float(((part - part.mean()) ** 2).sum()) for part in np.split(values, edges[1:-1])) + penalty * len(starts)


@given(
    st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=4, max_size=9),
    st.floats(0.01, 2.0),
    st.sampled_from([1, 2, 3]),
)
def test_no_other_cut_is_cheaper(values, penalty, min_size):
    series_ = np.asarray(values)
    found = segment_starts(series_, penalty, min_size)
    edges = [0, *found, len(series_)]
    assert all(stop - start >= min_size for start, stop in pairwise(edges))
    every = (
        starts
        for count in range(len(values))
        for starts in combinations(range(1, len(values)), count)
        if all(stop - start >= min_size for start, stop in pairwise([0, *starts, len(values)]))
    )
    assert cost(series_, found, penalty) <= min(cost(series_, starts, penalty) for starts in every) + 1e-9


@pytest.mark.process
def test_finding_the_end_of_warm_up_imports_no_scipy():
    """A pilot does it in a fresh process, where SciPy takes seconds."""
    code = (
        "import sys; from bench.statistics.warmup import steady_from; steady_from([1.0] * 30);"
        "print([name for name in sys.modules if name.split('.')[0] == 'scipy'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_single_spike_is_no_change():
    values = series((0.0, 30))
    values[12] += 1.0
    assert change_points(values) == []


def test_too_few_values_tell_nothing():
    assert change_points([0.0, 5.0, 0.0]) == []
    assert change_points(np.zeros(20)) == []


@pytest.mark.parametrize(
    ("levels", "first"),
    [
        ([(0.3, 4), (0.0, 20)], 4),
        ([(0.5, 3), (0.2, 4), (0.0, 20)], 7),
        ([(0.0, 24)], 0),
        ([(0.0, 12), (0.004, 12)], 0),  # as fast as makes no difference
        ([(0.0, 20), (0.2, 8)], 0),  # somebody else came: no warm-up of ours
        ([(0.2, 4), (0.0, 10), (0.1, 6), (0.0, 8)], 4),
        ([(0.1, 4), (0.0, 10), (0.2, 8)], 4),
    ],
)
def test_the_steady_state_begins_after_the_last_change(levels, first):
    found = steady_from(np.exp(series(*levels, deviation=0.003)).tolist())
    assert found is not None
    assert abs(found - first) <= 1


def test_no_steady_state_where_the_end_still_becomes_faster_or_too_little_is_left():
    assert steady_from(np.exp(series((0.5, 22), (0.0, 3), deviation=0.003)).tolist()) is None
    assert steady_from([1.0] * 6) is None


def test_sessions_judge_by_how_sessions_differ():
    rng = np.random.default_rng(0)
    base = list(rng.normal(-5.0, 0.005, 10))
    assert judge(predicted(base, [-5.0], 0.01)) is Verdict.PASS
    assert judge(predicted(base, [-4.9], 0.01)) is Verdict.REGRESSED
    assert judge(predicted(base, [-5.1], 0.01)) is Verdict.IMPROVED
    noisy = list(rng.normal(-5.0, 0.05, 10))
    assert judge(predicted(noisy, [-4.97], 0.01)) is Verdict.INCONCLUSIVE


def test_few_sessions_give_no_figure():
    with pytest.raises(NoFigure, match="holds 1 session;"):
        predicted([-5.0], [-5.0], 0.01)
    with pytest.raises(NoFigure, match="sessions"):
        predicted([-5.0] * (FEWEST_SESSIONS - 1), [-5.0], 0.01)
    with pytest.raises(NoFigure, match="candidate"):
        predicted([-5.0] * FEWEST_SESSIONS, [], 0.01)


def test_alarms_of_sessions_on_unchanged_code_keep_their_level():
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(2000):
        found = predicted(list(rng.normal(0, 0.02, 8)), [float(rng.normal(0, 0.02))], 0.01)
        alarms += judge(found, tolerated=0.0) is Verdict.REGRESSED
    assert alarms < 40


def test_variation_takes_processes_apart():
    rng = np.random.default_rng(3)
    trials = [np.exp(level + rng.normal(0, 0.02, 50)).tolist() for level in rng.normal(0, 0.05, 60)]
    found = variation(trials)
    assert found.within == pytest.approx(0.02**2, rel=0.1)
    assert found.between == pytest.approx(0.05**2, rel=0.5)
    with pytest.raises(NoFigure):
        variation([[1.0, 2.0]])


def test_long_trials_pay_where_starting_is_dear_and_samples_are_noisy():
    assert samples_per_trial(Variation(0.04, 0.0001), 0.2, 5.0) > samples_per_trial(Variation(0.0001, 0.04), 0.2, 5.0)
    assert samples_per_trial(Variation(0.01, 0.01), 0.2, 5.0) == 5
    assert samples_per_trial(Variation(0.01, 0.001), 0.2, 5.0) == 16
    assert samples_per_trial(Variation(0.01, 0.0), 0.2, 5.0) == 200
