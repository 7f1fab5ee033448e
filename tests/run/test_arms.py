"""Pairs of two environments: which arm begins, and how both cut their time into blocks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.run.arms import PairedCase, Pairs, candidate_begins
from bench.run.progress import Progress
from bench.worker.jobs import Blocks


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
