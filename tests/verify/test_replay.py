"""A walk's blocks, replayed from what two single steps tell of the optimizer's memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bench.contract import Settings, Workload
from bench.record.schema import Check
from bench.spec import SGD, AdamW, Schedule
from bench.spec.weights import initial_weights
from bench.testing import kit_workloads
from bench.testing.reference import ReferenceBackend, rounding
from bench.verify import sharp
from bench.verify.compare import check_predictions
from bench.verify.equivalence import Subject
from bench.verify.replay import LOSSES, MOVES, STATISTICS, check_replay
from bench.verify.walk import Walk, Walker
from bench.verify.witness import judged_walk

pytestmark = pytest.mark.slow

RESIDUAL, _ = kit_workloads()
OPTIMIZERS = {
    "plain SGD": SGD(Schedule(0.05), momentum=0.0, weight_decay=1e-2),
    "momentum": SGD(Schedule(0.05, 30), momentum=0.9, weight_decay=1e-3),
    "Nesterov": SGD(Schedule(0.05, 30, 60), momentum=0.9, nesterov=True, weight_decay=1e-3, decay_all=True),
}


def walked(workload: Workload, precision: str = "float64", done: int = 12) -> Walk:
    """An honest trainer's walk."""
    weights = initial_weights(workload.network, workload.seed)
    trainer = ReferenceBackend().trainer(workload, weights, "reference", Settings(precision, 16, 1))
    walker = Walker(trainer, workload, 16, np.random.default_rng(4), 0, lambda: None)
    walker.run(done)
    return walker.walk(trainer.weights(), 2)


@pytest.mark.parametrize("precision", ["float64", "fp32"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_honest_walk_passes(name: str, precision: str):
    workload = replace(RESIDUAL, optimizer=OPTIMIZERS[name])
    checks = check_replay(workload, walked(workload, precision), precision)
    assert [check.name for check in checks] == [LOSSES, MOVES, STATISTICS]
    assert [check for check in checks if not check.passed] == []


def _scaled(walk: Walk, tensor: str) -> Walk:
    """One tensor moved one part in a hundred too far in the block."""
    after, before = dict(walk.weights[3]), walk.weights[2]
    after[tensor] = before[tensor] + 1.01 * (after[tensor] - before[tensor])
    return replace(walk, weights=(*walk.weights[:3], after))


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        (lambda walk: _scaled(walk, "stem.conv.weight"), MOVES),
        (lambda walk: _scaled(walk, "head.bias"), MOVES),
        (lambda walk: _scaled(walk, "stem.norm.running_mean"), STATISTICS),
        (lambda walk: replace(walk, losses=[*walk.losses[:-1], walk.losses[-1] * 1.0001]), LOSSES),
    ],
)
def test_a_part_in_a_hundred_shows_in_fp32(change: Callable[[Walk], Walk], fails: str):
    checks = check_replay(RESIDUAL, change(walked(RESIDUAL, "fp32")), "fp32")
    assert [check.name for check in checks if not check.passed] == [fails]


def test_of_adamw_signs_are_judged_and_no_values():
    workload = replace(RESIDUAL, optimizer=AdamW(Schedule(0.01, 30), weight_decay=0.05))
    checks = judged_walk(workload, walked(workload, "fp32"), "fp32")
    assert [check.name for check in checks if check.judged] == ["updates follow the gradient"]
    assert all(check.passed for check in checks)


def test_nothing_is_judged_where_the_rate_is_zero():
    still = replace(RESIDUAL, optimizer=replace(RESIDUAL.optimizer, schedule=Schedule(0.05, total_steps=8)))
    checks = check_replay(still, walked(still), "float64")
    assert not any(check.judged for check in checks)
    assert all(check.passed for check in checks)


def test_predictions_that_a_constant_could_give_are_not_judged():
    truth = np.array([[0.4, 0.6], [0.5, 0.5]])
    assert check_predictions("predictions", truth, truth, 0.04).judged
    wide = check_predictions("predictions", truth, truth, 0.06)
    assert (wide.passed, wide.judged) == (True, False)
    assert not check_predictions("predictions", truth + 0.1, truth, 0.06).passed


def judged(*checks: bool) -> list[Check]:
    return [Check(name="updates of a block", passed=True, judged=each) for each in checks]


def test_a_sharper_precision_is_needed_where_rounding_hides_something_and_nothing_is_wrong():
    assert sharp.needed(judged(True, False), "bf16")
    assert not sharp.needed(judged(True, True), "bf16")
    assert not sharp.needed(judged(True, False), "fp32")
    assert not sharp.needed([*judged(False), Check(name="losses", passed=False)], "bf16")


HIDDEN = [Check(name="updates of a block", passed=True, judged=False)]


def subject(backend: ReferenceBackend) -> Subject:
    return Subject(backend, "reference", RESIDUAL, Settings("bf16", 16, 1))


def test_the_same_lowering_is_proven_in_fp32():
    checks = sharp.sharp_training(HIDDEN, subject(ReferenceBackend()), ("bf16", "fp32"), rng=np.random.default_rng(1))
    assert [check.name for check in checks] == [
        "later losses, in fp32",
        "updates of a block, in fp32",
        f"{STATISTICS}, in fp32",
    ]
    assert all(check.passed and check.judged for check in checks)
    coarse = ReferenceBackend(rounding=lambda precision: rounding("bf16"))
    coarse_checks = sharp.sharp_training(HIDDEN, subject(coarse), ("bf16", "fp32"), rng=np.random.default_rng(1))
    assert not all(check.passed for check in coarse_checks)
    assert sharp.sharp_training(judged(True), subject(coarse), ("bf16", "fp32")) == []


def test_a_device_without_a_sharper_precision_leaves_the_case_unproven():
    (check,) = sharp.sharp_training(HIDDEN, subject(ReferenceBackend()), ("bf16",))
    assert not check.passed
    assert "computes neither fp32 nor float64" in check.detail
