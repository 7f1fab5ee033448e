"""Pairs of two environments: which arm begins, and how both cut their time into blocks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from bench.run import arms as arms_module
from bench.run.arms import PairedCase, Pairs, candidate_begins
from bench.run.progress import Progress
from bench.worker.jobs import Blocks
from tests.support import records as fake


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("identity", ["one case", "another case"])
def test_either_arm_begins_one_of_two_successive_pairs(seed, identity):
    begins = [candidate_begins(seed, identity, number) for number in range(80)]
    assert all(one != two for one, two in zip(begins[::2], begins[1::2], strict=True))
    assert {True, False} == set(begins[::2]), "which of the two comes first is drawn"


def test_cases_and_seeds_are_drawn_on_their_own():
    drawn = {
        tuple(candidate_begins(seed, identity, number) for number in range(0, 80, 2))
        for seed in range(3)
        for identity in "ab"
    }
    assert len(drawn) == 6


def test_an_arm_that_is_gone_on_with_compiles_anew_and_names_the_variables_it_drops(tmp_path, monkeypatch):
    journal = SimpleNamespace(folder=tmp_path / "base")
    (tmp_path / "base" / "compiled" / "test").mkdir(parents=True)
    (tmp_path / "base" / "compiled" / "test" / "half").touch()
    monkeypatch.setattr(arms_module, "reopened", lambda folder, results: (journal, None))
    monkeypatch.setattr(arms_module, "prepare_again", lambda *given: ({}, None))
    monkeypatch.setenv("A_VARIABLE_OF_THE_USER", "its value")
    arms_module.resume_arm("base", "python", tmp_path, Progress(0, quiet=True))
    assert not (tmp_path / "base" / "compiled").exists()
    log = tmp_path / "base" / "logs" / "environment.log"
    assert "A_VARIABLE_OF_THE_USER" in log.read_text()
    assert "its value" not in log.read_text()
    log.unlink()
    log.mkdir()  # where it cannot be written, nothing ends
    arms_module.resume_arm("base", "python", tmp_path, Progress(0, quiet=True))


def arm(blocks: Blocks) -> Any:
    """As much of an arm as tells how its pilot cut the time."""
    pilot = SimpleNamespace(blocks=blocks)
    return SimpleNamespace(
        runner=SimpleNamespace(journal=SimpleNamespace(pilot=lambda index: pilot), plan=SimpleNamespace(cases=[]))
    )


@pytest.mark.parametrize(("samples", "expected"), [(5, 6), (6, 6), (8, 8), (25, 26)])
def test_both_arms_make_as_many_blocks_and_an_even_number(samples, expected):
    slower, faster = Blocks(steps=3, warmup=2, samples=samples), Blocks(steps=4, warmup=2, samples=samples)
    case = PairedCase("identity", "label", 0, 0)
    for arms in ([arm(slower), arm(faster)], [arm(faster), arm(slower)]):
        blocks = Pairs(arms, Progress(0, quiet=True), 0)._blocks(case)
        assert (blocks.steps, blocks.warmup, blocks.samples) == (3, 3, expected)


class Kept:
    """As much of an arm's runner as measuring a pair takes; ``statuses`` are those of its trials, one for each time it is measured."""

    def __init__(self, statuses: list[str]) -> None:
        self.statuses, self.kept = list(statuses), []
        self.journal = SimpleNamespace(add=lambda done: self.kept.append(done.trial.status), trials=[])

    def finished(self, outcomes: Any, index: int, number: int) -> Any:
        trial = fake.record(wanted=[fake.Script(fake.train(), 20.0, trials=1)]).trials[-1]
        return replace(trial, status=self.statuses.pop(0))


@pytest.mark.parametrize(
    ("base", "candidate", "kept"),
    [
        (["ok"], ["ok"], (["ok"], ["ok"])),
        (["disturbed", "ok"], ["ok", "ok"], (["disturbed", "ok"], ["ok"])),
        (["ok"], ["invalid"], (["ok"], ["invalid"])),
        (3 * ["disturbed"], 3 * ["ok"], (3 * ["disturbed"], ["ok"])),
    ],
)
def test_a_disturbed_pair_is_measured_again_as_a_whole(monkeypatch, base, candidate, kept):
    monkeypatch.setattr(arms_module, "_launch", lambda *_: None)
    monkeypatch.setattr(arms_module, "shared_cases", lambda *_: [])
    outcome = SimpleNamespace(status="ok", reason="", wall=1.0)
    monkeypatch.setattr(arms_module, "run_in_turns", lambda *_: [outcome, outcome])
    monkeypatch.setattr(Pairs, "_blocks", lambda *_: Blocks(steps=1, warmup=0, samples=2))
    runners = [Kept(base), Kept(candidate)]
    for runner in runners:
        runner.plan = None
    arms = [SimpleNamespace(name=name, runner=runner) for name, runner in zip(("base", "candidate"), runners, strict=True)]
    Pairs(arms, Progress(0, quiet=True), 0).measure(PairedCase("identity", "label", 0, 0), 0)
    assert tuple(runner.kept for runner in runners) == kept
