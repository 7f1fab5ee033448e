"""Proofs inside trials: first steps, timed losses, witness blocks, and updates."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bench.contract import Progress, Settings, Workload
from bench.oracle.arithmetic import Arithmetic, exact
from bench.oracle.model import Oracle, predict, training_loss
from bench.record.schema import Check
from bench.spec import SGD, AdamW, Dense, GlobalAveragePool, Layer, ReLU, Schedule, Weights, sequential, trainable
from bench.spec.weights import initial_weights
from bench.testing import kit_workloads
from bench.testing.reference import ReferenceBackend, rounding
from bench.testing.workloads import conv_norm
from bench.verify import pace
from bench.verify.golden import calibrated_weights, checked_golden
from bench.verify.pace import TRIES, TimedRun
from bench.verify.timed import DRAWS, check_predictions, check_timed_losses, first_steps
from bench.verify.unforeseen import unforeseen_batch, unforeseen_images
from bench.verify.updates import check_updates
from bench.verify.walk import Walk
from bench.verify.witness import MOST_DRAWS, witness_loss, witness_predictions, witness_training

pytestmark = pytest.mark.slow

RESIDUAL, ASSORTED = kit_workloads()
SETTINGS = Settings("float64", 16, 1)


def with_schedule(schedule: Schedule) -> Workload:
    return replace(RESIDUAL, optimizer=replace(RESIDUAL.optimizer, schedule=schedule))


def test_a_schedule_that_would_end_within_the_trial_is_stretched():
    workload = with_schedule(Schedule(0.05, warmup_steps=8, total_steps=20))
    start, trained = first_steps(workload, 16, "float64", steps=500)
    assert trained.optimizer.schedule == Schedule(0.05, warmup_steps=8, total_steps=1000)
    assert start.golden == checked_golden(workload)[0]  # the first rates are those of the golden curve
    assert trained.optimizer.schedule.at(500) > 0


def test_without_warm_up_the_stretched_schedule_gets_a_curve_of_its_own():
    workload = with_schedule(Schedule(0.05, total_steps=20))
    start, trained = first_steps(workload, 16, "float64", steps=500)
    trainer = ReferenceBackend().trainer(trained, initial_weights(trained.network, trained.seed), "reference", SETTINGS)
    losses = [float(trainer.run([batch]).losses[0]) for batch in start.batches]
    assert start.check(losses, "float64").passed
    assert start.golden is None
    assert start.expected().losses[1:] != checked_golden(workload)[0].losses[1 : len(losses)]


def test_the_more_images_in_a_batch_the_further_fp32_sums_may_stray():
    golden = checked_golden(RESIDUAL)[0]

    def judged(batch_size: int, stray: float) -> bool:
        losses = [loss + stray * golden.envelopes["fp32"].losses[0] for loss in golden.losses]
        return first_steps(RESIDUAL, batch_size, "fp32")[0].check(losses, "fp32").passed

    assert judged(8, 0.9)
    assert not judged(8, 1.1)
    assert judged(8 * 1024, 1.1)
    assert not judged(8 * 1024, 1000)
    assert not first_steps(RESIDUAL, 8 * 1024, "float64")[0].check([loss + 1e-9 for loss in golden.losses], "float64").passed


@pytest.mark.parametrize("batch_size", [8, 1024, 8192, 65536])
def test_tf32_is_not_taken_for_fp32_however_large_the_batch(batch_size: int):
    weights = initial_weights(RESIDUAL.network, RESIDUAL.seed)
    run = Oracle(RESIDUAL.network, RESIDUAL.loss, RESIDUAL.optimizer, weights, rounding("tf32"))
    losses = [run.step(*batch) for batch in checked_golden(RESIDUAL)[1]]  # what any number of copies gives
    assert not first_steps(RESIDUAL, batch_size, "fp32")[0].check(losses, "fp32").passed


def test_a_schedule_that_lasts_is_left_alone():
    _, trained = first_steps(RESIDUAL, 16, "float64", steps=200)
    assert trained is RESIDUAL
    _, constant = first_steps(with_schedule(Schedule(0.1)), 16, "float64", steps=10**6)
    assert constant.optimizer.schedule == Schedule(0.1)


@pytest.mark.parametrize(
    ("blocks", "fault"),
    [
        ([[1.0, 0.9], [0.8, 0.7]], ""),
        ([[1.0, 0.9], [0.8]], "timed block 2 of 2 steps gave losses of shape (1,)"),
        ([[1.0, np.nan], [0.8, 0.7]], "timed block 1 gave a loss that is not finite"),
        ([[1.0, 0.9], [1.0, 0.9]], "all 2 timed blocks gave the same losses"),
    ],
)
def test_timed_losses(blocks: list[list[float]], fault: str):
    check = check_timed_losses([Progress(np.array(block), 1.0) for block in blocks], 2)
    assert check.passed is (fault == "")
    assert fault in check.detail


def test_an_unforeseen_batch_is_new_each_time_and_its_few_images_tell_its_loss(monkeypatch: pytest.MonkeyPatch):
    assert len(unforeseen_batch(RESIDUAL, 24, np.random.default_rng(0)).images) == 24  # a small network: no image repeats
    monkeypatch.setattr("bench.verify.unforeseen.AFFORDABLE_ELEMENTS", 0)
    rng = np.random.default_rng(0)
    first, second = (unforeseen_batch(RESIDUAL, 24, rng) for _ in range(2))
    assert len(first.images) == 8
    assert first.labels.shape == (24,)
    assert first.fed[0].shape == (24, 12, 10, 3)
    assert not np.array_equal(first.images, second.images)
    arguments = (RESIDUAL.network, RESIDUAL.loss, initial_weights(RESIDUAL.network, 0))
    whole = training_loss(*arguments, *first.fed)
    assert training_loss(*arguments, *first.few) == pytest.approx(whole, rel=1e-12)


def test_no_half_of_an_unforeseen_batch_has_its_loss():
    """The labels differ between copies, so that what part of the batch was dropped shows."""
    rng = np.random.default_rng(1)
    arguments = (RESIDUAL.network, RESIDUAL.loss, initial_weights(RESIDUAL.network, 0))
    for _ in range(20):
        images, labels = unforeseen_batch(RESIDUAL, 32, rng).fed
        whole = training_loss(*arguments, images, labels)
        for part in (slice(16), slice(16, None), slice(0, None, 2)):
            assert abs(training_loss(*arguments, images[part], labels[part]) - whole) > 1e-4


class Sleeping:
    """The reference trainer, each block delayed by what the script says."""

    def __init__(self, inner, delays: Callable[[int], float], clock: list[float]) -> None:
        self.inner, self.delays, self.clock, self.block = inner, delays, clock, 0

    def __getattr__(self, name: str):
        return getattr(self.inner, name)

    def run(self, batches):
        self.clock[0] += self.delays(self.block) * len(batches)
        self.block += 1
        return self.inner.run(batches)


def witness(
    monkeypatch: pytest.MonkeyPatch,
    delays: Callable[[int], float],
    timed: float,
    disturbed: Callable[[], bool] = lambda: False,
) -> tuple[dict, int]:
    """Which checks pass for a trainer whose block number b takes delays(b) per step, on a clock of the test's own."""
    clock = [0.0]
    monkeypatch.setattr("bench.verify.witness.time.perf_counter", lambda: clock[0])
    inner = ReferenceBackend().trainer(RESIDUAL, initial_weights(RESIDUAL.network, 7), "reference", SETTINGS)
    trainer = Sleeping(inner, delays, clock)
    seen = TimedRun(batch_size=16, steps=8, seconds=timed, done=0, disturbed=disturbed)
    checks = witness_training(trainer, RESIDUAL, "float64", seen, np.random.default_rng(3))
    return {check.name: check.passed for check in checks}, trainer.block


def test_an_honest_trainer_passes_every_witness_check(monkeypatch: pytest.MonkeyPatch):
    passed, _ = witness(monkeypatch, lambda block: 0.1, timed=0.8)
    assert len(passed) == 8
    assert all(passed.values())


def test_a_trainer_that_was_quicker_while_timed_is_found_out(monkeypatch: pytest.MonkeyPatch):
    passed, blocks = witness(monkeypatch, lambda block: 0.1, timed=0.2)
    assert not passed["checked blocks as quick as timed ones"]
    assert not passed["every step of a block takes its time"]
    assert blocks > TRIES  # after every chance


def test_a_disturbed_machine_is_given_time(monkeypatch: pytest.MonkeyPatch):
    passed, _ = witness(monkeypatch, lambda block: 1.0 if block < 5 else 0.1, timed=0.8)
    assert all(passed.values())
    passed, _ = witness(monkeypatch, lambda block: 1.0 if 3 <= block < 9 else 0.1, timed=0.8)
    assert all(passed.values())


def test_a_machine_that_was_busy_while_timing_is_given_time(monkeypatch: pytest.MonkeyPatch):
    """TimedRun blocks and the first witness blocks were ten times slower than the trainer is on an idle machine."""
    passed, _ = witness(monkeypatch, lambda block: 1.0 if block < 3 else 0.1, timed=8.0)
    assert all(passed.values())


@pytest.mark.parametrize("disturbed", [True, False])
def test_a_trainer_is_given_longer_while_others_use_the_machine(monkeypatch: pytest.MonkeyPatch, disturbed: bool):
    """Half a minute of slow blocks after the timed ones."""
    passed, _ = witness(monkeypatch, lambda block: 1.0 if block < 4 else 0.3, timed=0.8, disturbed=lambda: disturbed)
    assert not passed["checked blocks as quick as timed ones"], "three times as slow to the end"
    passed, _ = witness(monkeypatch, lambda block: 0.4 if block < 16 else 0.1, timed=0.8, disturbed=lambda: disturbed)
    assert passed["checked blocks as quick as timed ones"] is disturbed


@pytest.mark.parametrize(("quick_ordinary", "passes"), [(1, True), (2, True), (1000, False)])
def test_a_quick_moment_of_a_busy_machine_is_not_held_against_a_trainer(monkeypatch, quick_ordinary: int, passes: bool):
    """So many blocks of ordinary batches take half as long as all others."""
    clock, ordinary_next, left = [0.0], [False], [quick_ordinary]
    monkeypatch.setattr("bench.verify.witness.time.perf_counter", lambda: clock[0])
    inner = ReferenceBackend().trainer(RESIDUAL, initial_weights(RESIDUAL.network, 7), "reference", SETTINGS)
    batch = checked_golden(RESIDUAL)[1][0]

    def ordinary():
        ordinary_next[0] = True
        return batch

    def delays(block: int) -> float:
        quick = ordinary_next[0] and left[0] > 0
        left[0] -= quick
        ordinary_next[0] = False
        return 0.05 if quick else 0.1

    seen = TimedRun(batch_size=8, steps=4, seconds=0.4, done=0, ordinary=ordinary)
    checks = witness_training(Sleeping(inner, delays, clock), RESIDUAL, "float64", seen, np.random.default_rng(3))
    assert {c.name: c.passed for c in checks}["ordinary batches take as long"] is passes
    assert all(c.passed for c in checks if c.name != "ordinary batches take as long")


@pytest.mark.parametrize("steps", [8, 9, 64])  # whose short blocks have one step, two, and more
def test_steps_left_out_of_long_blocks_are_found_out(monkeypatch: pytest.MonkeyPatch, steps: int):
    """All blocks take as long as one step does; a short block of several steps, too."""
    clock = [0.0]
    monkeypatch.setattr(pace, "TRIES", 4)  # by this clock the next try takes as long as the last
    monkeypatch.setattr("bench.verify.witness.time.perf_counter", lambda: clock[0])
    inner = ReferenceBackend().trainer(RESIDUAL, initial_weights(RESIDUAL.network, 7), "reference", SETTINGS)

    class Constant(Sleeping):
        def run(self, batches):
            self.clock[0] += 0.1
            return self.inner.run(batches)

    seen = TimedRun(batch_size=16, steps=steps, seconds=0.1, done=0)
    trainer = Constant(inner, lambda block: 0.0, clock)
    failed = [c.name for c in witness_training(trainer, RESIDUAL, "float64", seen, np.random.default_rng(3)) if not c.passed]
    assert failed == ["every step of a block takes its time"]


def test_work_of_the_host_in_timed_blocks_is_not_asked_of_short_ones(monkeypatch: pytest.MonkeyPatch):
    """Timed blocks made their batches, which took nine times as long as their steps."""
    passed, _ = witness(monkeypatch, lambda block: 0.01, timed=0.8)
    assert all(passed.values())


def test_witness_predictions_look_at_the_clock_too(monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]
    monkeypatch.setattr("bench.verify.witness.time.perf_counter", lambda: clock[0])
    weights = calibrated_weights(RESIDUAL, checked_golden(RESIDUAL)[1][0])
    inner = ReferenceBackend().predictor(RESIDUAL, weights, "reference", SETTINGS)
    predictor = Sleeping(inner, lambda block: 0.1, clock)
    for timed, good in ((1.6 * 4, True), (0.5 * 4, False)):
        seen = TimedRun(batch_size=16, steps=4, seconds=timed)
        right, quick = witness_predictions(predictor, RESIDUAL, weights, "float64", seen, 2, np.random.default_rng(5))
        assert right.passed
        assert quick.passed is good


def test_timed_predictions_name_the_image():
    weights = calibrated_weights(RESIDUAL, checked_golden(RESIDUAL)[1][0])
    images = list(unforeseen_images(RESIDUAL, 4, np.random.default_rng(0)))
    found = list(predict(RESIDUAL.network, weights, np.stack(images)))
    assert check_predictions(RESIDUAL.network, weights, images, found, "float64").passed
    found[2] = found[2][::-1]
    check = check_predictions(RESIDUAL.network, weights, images, found, "float64")
    assert not check.passed
    assert check.detail.startswith("image 3: ")


OPTIMIZERS = {
    "plain SGD": SGD(Schedule(0.05), momentum=0.0),
    "momentum": SGD(Schedule(0.05, 30), momentum=0.9, weight_decay=1e-3),
    "Nesterov": SGD(Schedule(0.05, 30, 60), momentum=0.9, nesterov=True, weight_decay=1e-3, decay_all=True),
    "AdamW": AdamW(Schedule(0.01, 30), weight_decay=0.05),
    "AdamW on all": AdamW(Schedule(0.01), weight_decay=0.05, decay_all=True),
}


def walk(
    workload: Workload, done: int, change: Callable[[Weights, Weights], Weights], arithmetic: Arithmetic = exact
) -> Walk:
    """Two steps after ``done`` others; ``change`` makes the second step's weights from those before and after it."""
    rng = np.random.default_rng(done)
    run = Oracle(workload.network, workload.loss, workload.optimizer, initial_weights(workload.network, 0), arithmetic)
    for _ in range(done):
        run.step(*unforeseen_batch(workload, 16, rng).few)
    batches = [unforeseen_batch(workload, 16, rng) for _ in range(2)]
    states = [run.weights]
    for batch in batches:
        run.step(*batch.few)
        states.append(run.weights)
    last = change(states[1], states[2])
    kind = np.float32
    as_found = [{name: value.astype(kind) for name, value in state.items()} for state in (*states[:2], last)]
    return Walk((*as_found[:3], as_found[2]), (batches[0].few, batches[1].few), [], [], done)


@pytest.mark.parametrize("done", [0, 1, 25])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("base", [RESIDUAL, ASSORTED], ids=lambda workload: workload.name)
def test_honest_updates_follow_the_gradient(base: Workload, optimizer: str, done: int):
    workload = replace(base, optimizer=OPTIMIZERS[optimizer])
    check = check_updates(workload, walk(workload, done, honest), "float64")
    assert check.passed, check
    assert check.found is not None


def honest(before: Weights, after: Weights) -> Weights:
    return after


def nudged(before: Weights, after: Weights) -> Weights:
    rng = np.random.default_rng(9)
    return {
        name: value + 1e-3 * rng.standard_normal(value.shape) if trainable(name) else after[name]
        for name, value in before.items()
    }


def backwards(before: Weights, after: Weights) -> Weights:
    return {name: 2 * value - after[name] for name, value in before.items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("change", [nudged, backwards])
def test_updates_without_regard_to_the_gradient_are_found_out(optimizer: str, change):
    workload = replace(RESIDUAL, optimizer=OPTIMIZERS[optimizer])
    check = check_updates(workload, walk(workload, 10, change), "float64")
    assert not check.passed
    assert "without regard to their gradient" in check.detail


def test_a_loss_outside_few_draws_is_held_against_more(monkeypatch):
    strays = [0.0, *[1e-6] * DRAWS, *[1e-3] * MOST_DRAWS]  # the truth, then draws

    def judged(found: float) -> tuple[Check, int]:
        left = [1.0 + stray for stray in strays]
        monkeypatch.setattr("bench.verify.witness.training_loss", lambda *_: left.pop(0))
        batch = unforeseen_batch(RESIDUAL, 16, np.random.default_rng(0))
        check = witness_loss(RESIDUAL, initial_weights(RESIDUAL.network, 0), batch, found, "fp32")
        return check, len(strays) - len(left) - 1

    assert judged(1.0) == (Check(name="witness loss", passed=True, found=0.0, allowed=1e-5), 0)
    few, many = judged(1.005), judged(1.01)
    assert few[0].passed
    assert few[1] == 2 * DRAWS
    assert not many[0].passed
    assert many[1] == MOST_DRAWS


def deep(blocks: int) -> Workload:
    """A stack without shortcuts: rounding grows from block to block."""
    layers: dict[str, Layer] = {"stem": conv_norm(3, 8, 3)}
    for number in range(blocks):
        layers |= {f"relu{number}": ReLU(), f"block{number}": conv_norm(8, 8, 3)}
    body = sequential(**layers, pool=GlobalAveragePool(), head=Dense(8, 3))
    return replace(RESIDUAL, network=replace(RESIDUAL.network, body=body))


@pytest.mark.parametrize("optimizer", ["Nesterov", "AdamW"])
def test_where_rounding_drowns_gradients_what_it_leaves_of_them_is_judged(optimizer: str):
    workload = replace(deep(30), optimizer=OPTIMIZERS[optimizer])

    def judged(change: Callable[[Weights, Weights], Weights], precision: str) -> Check:
        return check_updates(workload, walk(workload, 3, change, rounding("bf16")), precision)

    assert not judged(honest, "float64").passed  # a third of the tensors agree
    assert judged(honest, "bf16").passed
    assert not judged(honest, "fp32").passed  # who rounds to bf16 and says fp32
    for change in (nudged, backwards):
        assert "without regard to their gradient" in judged(change, "bf16").detail


def norms_backwards(before: Weights, after: Weights) -> Weights:
    """BatchNorm's weights and biases only, which are tensors of few elements."""
    return {
        name: 2 * value - after[name] if name.endswith(("norm.weight", "norm.bias")) else after[name]
        for name, value in before.items()
    }


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("workload", [RESIDUAL, deep(50)], ids=["shallow", "deep"])
def test_small_tensors_are_judged_too(workload: Workload, precision: str):
    check = check_updates(workload, walk(workload, 3, norms_backwards, rounding(precision)), precision)
    assert not check.passed
    assert "without regard to their gradient" in check.detail


def test_the_check_says_what_rounding_drowns():
    workload = replace(deep(30), optimizer=OPTIMIZERS["AdamW"])
    check = check_updates(workload, walk(workload, 3, honest, rounding("bf16")), "bf16")
    assert check.passed
    assert re.fullmatch(
        r"rounding drowns the gradients of (5[5-9]|6[0-7]) of 95 tensors, which are not judged", check.detail
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_weights_do_not_silence_the_check(value: float):
    found = walk(RESIDUAL, 3, honest)
    spoilt = {name: np.full_like(tensor, value) for name, tensor in found.weights[1].items()}
    with np.errstate(all="ignore"):
        check = check_updates(RESIDUAL, replace(found, weights=(found.weights[0], spoilt, *found.weights[2:])), "bf16")
    assert not check.passed


def test_no_update_is_judged_where_the_rate_is_zero():
    workload = with_schedule(Schedule(0.05, warmup_steps=1, total_steps=3))
    check = check_updates(workload, walk(workload, 5, honest), "float64")
    assert check.passed
    assert check.detail == "not judged: the schedule's rate has come to 0"
