"""Turns, as a worker and its parent see them: after another worker's turn, a step is made that nobody times."""

from __future__ import annotations

import os
from itertools import cycle, pairwise

import pytest

from backends.cpu import CpuBackend
from bench.run import crew
from bench.worker.channel import BRIEFLY, Channel
from bench.worker.jobs import Blocks, Measure
from bench.worker.measure import measure
from tests.worker.test_alive import CPU, DOTS, case, prepared


class Counting:
    """A trainer or predictor that notes what it is asked to run, beside the turns."""

    def __init__(self, inner, noted):
        self._inner, self._noted = inner, noted

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def run(self, staged):
        self._noted.append(len(staged) if isinstance(staged, list) else 1)
        return self._inner.run(staged)


@pytest.mark.parametrize(
    ("phase", "scenario", "steps", "per_block"),
    [("train", "", 3, [3]), ("infer", "offline", 3, [1, 1, 1])],
)
def test_a_step_that_nobody_times_follows_every_switch(tmp_path, monkeypatch, phase, scenario, steps, per_block):
    channel = Channel(os.open(os.devnull, os.O_WRONLY))
    noted: list[object] = []
    switched = cycle([True, False])

    def turn():
        noted.append(found := next(switched))
        return found

    monkeypatch.setattr(channel, "turn", turn)
    channel.how_to_check.put(BRIEFLY)
    for made in ("trainer", "predictor"):
        make = getattr(CpuBackend, made)
        monkeypatch.setattr(CpuBackend, made, lambda *given, make=make: Counting(make(*given), noted))
    job = Measure(
        case=case(phase, scenario), backend=CPU, workload=DOTS, prepared=prepared(tmp_path, channel), seconds=0.01, seed=1,
        blocks=Blocks(steps=steps, warmup=2, samples=6), in_turns=True,
    )  # fmt: skip
    found = measure(job, channel)
    assert len(found.samples) == 8
    assert all(check.passed for check in found.checks if "loss" in check.name or "predictions" in check.name), found.checks
    turns = [at for at, note in enumerate(noted) if note is True or note is False]
    blocks = [(noted[at], noted[at + 1 : stop]) for at, stop in pairwise(turns)]
    assert len(blocks) >= 8
    assert all(ran == ([1, *per_block] if after_another else per_block) for after_another, ran in blocks), blocks


class Taking:
    """A worker that takes so many turns, and notes what it is told with each."""

    def __init__(self, name, turns, told):
        self.name, self.left, self.told = name, turns, told

    def give_turn(self, again=False):
        self.told.append((self.name, again))
        self.left -= 1

    def end(self):
        return self.name


class Crew:
    """Two workers that are always ready."""

    def __init__(self, told):
        self._told = told

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def start(self, place, launch):
        return Taking(launch, 4, self._told)

    def until_quiet(self, worker, listen):
        return "ready" if worker.left else "done"

    def end(self, worker):
        return None


def test_a_worker_is_told_whether_another_has_worked_since(monkeypatch):
    told: list[tuple[str, bool]] = []
    monkeypatch.setattr(crew, "Crew", lambda: Crew(told))
    assert crew.run_in_turns(["a", "b"]) == ["a", "b"]
    assert told == [
        ("a", False), ("b", False), ("b", True), ("a", False), ("a", True), ("b", False), ("b", True), ("a", False),
    ]  # fmt: skip
