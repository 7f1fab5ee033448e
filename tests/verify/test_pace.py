"""Witness blocks beside ordinary ones: what some of the ordinary ones leave out shows, and what a busy machine does is no proof."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from bench.record.schema import Check
from bench.verify import pace
from bench.verify.pace import BLOCKS, PAIRS, TimedRun, beside_ordinary, beyond_chance


def judged(
    monkeypatch: pytest.MonkeyPatch, witness: Callable[[], float], ordinary: Callable[[], float], pairs: int = BLOCKS
) -> tuple[Check, int]:
    """The check, and how many pairs it took, of blocks of these durations on a clock of the test's own."""
    now, made = [0.0], [0]
    monkeypatch.setattr(pace, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def running(seconds: Callable[[], float]) -> Callable[[], float]:
        def run() -> float:
            taken = seconds()
            now[0] += taken
            made[0] += 1
            return taken

        return run

    seen = TimedRun(batch_size=8, steps=8, seconds=1.0, pairs=pairs)
    return beside_ordinary(seen, running(witness), running(ordinary)), made[0] // 2


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6])
@pytest.mark.parametrize("seed", range(5))
def test_a_share_of_ordinary_blocks_that_take_no_time_shows(monkeypatch: pytest.MonkeyPatch, share: float, seed: int):
    rng = np.random.default_rng(seed)
    check, _ = judged(
        monkeypatch,
        lambda: 0.01 * rng.uniform(1, 1.2),
        lambda: 0.01 * rng.uniform(1, 1.2) if rng.random() >= share else 1e-5,
        PAIRS,
    )
    assert not check.passed
    assert ("some get less work" in check.detail) is (share < 0.5)  # the typical pair shows the rest


@pytest.mark.parametrize("seed", range(5))
def test_blocks_that_all_take_a_fifth_less_show(monkeypatch: pytest.MonkeyPatch, seed: int):
    rng = np.random.default_rng(seed)
    check, _ = judged(monkeypatch, lambda: 0.01 * rng.uniform(1, 1.3), lambda: 0.008 * rng.uniform(1, 1.3), PAIRS)
    assert not check.passed


@pytest.mark.parametrize("seed", range(20))
def test_a_busy_machine_proves_nothing(monkeypatch: pytest.MonkeyPatch, seed: int):
    """Every block takes up to ten times as long as it needs, and one in ten a hundred times."""
    rng = np.random.default_rng(seed)

    def honest() -> float:
        return float(0.01 * rng.uniform(1, 10) * (100 if rng.random() < 0.1 else 1))

    assert judged(monkeypatch, honest, honest, PAIRS)[0].passed


def test_short_blocks_come_in_more_pairs_than_long_ones(monkeypatch: pytest.MonkeyPatch):
    assert judged(monkeypatch, lambda: 1e-3, lambda: 1e-3)[1] == PAIRS
    assert judged(monkeypatch, lambda: 0.05, lambda: 0.05)[1] == 5
    assert judged(monkeypatch, lambda: 1.0, lambda: 1.0)[1] == BLOCKS


def test_beyond_chance():
    assert beyond_chance([2.0] * 16, [1.0] * 16) == 4.0
    assert beyond_chance([1.0, 2.0], [2.0, 1.0]) == 0.0
    assert beyond_chance([1.0, 1.0], [1.0, 1.0]) == 0.0
    assert beyond_chance([100.0, 1.0, 1.0], [1.0, 1.0, 1.0]) == 1.0, "one long block is chance"
    assert beyond_chance([1.0, 1.0], [2.0, 2.0]) == pytest.approx(-(2**0.5))
