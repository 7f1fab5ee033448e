"""Witness blocks: work on images made up on the spot, on the very trainer or predictor that was timed, right after timing.

Training. Blocks as long as the timed ones: the first loss of one of them, chosen at random, must be what the oracle computes
from the weights before it, every trained tensor must have moved, and the blocks must take no longer than the timed ones did,
so that honest work cannot be kept for the checks alone. Shorter blocks must take their share of that time, so that no step
of a block is left out. Two single steps must follow from their gradients (``bench.verify.updates``).

A witness batch repeats a few images, which an oracle can afford, in random order, *each copy with a label of its own*: the
loss is the oracle's on those few images, but a trainer that drops part of the batch cannot know it.

Inference. Batches of images that nobody has seen: right predictions, and no slower than the timed ones.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.contract import Predictor, Trainer, Workload
from bench.in_flight import in_flight
from bench.oracle.arithmetic import Arithmetic, exact, rounded
from bench.oracle.model import training_loss
from bench.record.schema import Check
from bench.spec import Weights, trainable
from bench.spec.tensors import tensor_shapes
from bench.verify.batches import Images
from bench.verify.compare import misfit, not_judged, sum_of_squares, witness_tolerance
from bench.verify.envelope import FLOAT64_TOLERANCE, LOSS_FLOOR, SAFETY
from bench.verify.pace import BLOCKS, PROVEN_STEPS, SHORTER, TimedRun, as_slow, beside_ordinary, every_step, tried_again
from bench.verify.parallel import in_parallel
from bench.verify.replay import MOST_OF_LOSS, MOVES, check_replay
from bench.verify.timed import DRAWS, check_predictions, images_checked
from bench.verify.unforeseen import Unforeseen, shifted, unforeseeable, unforeseen_images
from bench.verify.updates import check_updates
from bench.verify.walk import Walk, Walker

FEWEST_WALKED, MOST_WALKED = 2, PROVEN_STEPS
"""Steps of a walk's longer block. What rounding does grows from step to step: after eight steps of the small melanoma network honest fp32
strayed so far that most tensors could not be judged."""

MOST_ASKED = 3
"""How often weights are asked for before timing, at most."""

MOST_DRAWS = 16
"""Of the rounding model for one loss: where ``DRAWS`` happen to lie close together they say little of how far rounding may go,
so a loss outside is held against more of them before it is judged."""


def witness_training(
    trainer: Trainer, workload: Workload, precision: str, timed: TimedRun, rng: np.random.Generator | None = None
) -> list[Check]:
    """Every check on a trainer that has just been timed; ``rng`` only where a test must repeat itself."""
    subject = Walker(trainer, workload, timed.batch_size, rng or unforeseeable(), timed.done, timed.beat, timed.brief)
    weights = trainer.weights()
    fault = misfit(weights, tensor_shapes(workload.network))
    if fault:
        return [Check(name="canonical weights", passed=False, detail=fault)]
    walk = subject.walk(weights, _walked(timed, subject.rng))
    with timed.busy():
        checks = judged_walk(workload, walk, precision)
    return checks + _blocks(subject, walk.weights[3], timed, precision)


def _walked(timed: TimedRun, rng: np.random.Generator) -> int:
    """How many steps the longer block of the walk has: as many as a timed one where it is short enough."""
    return timed.steps if timed.steps <= MOST_WALKED else int(rng.integers(FEWEST_WALKED, MOST_WALKED + 1))


def judged_walk(workload: Workload, walk: Walk, precision: str) -> list[Check]:
    """What a walk says. Where rounding hides what moves the weights, signs are held against each other too."""
    checks = check_replay(workload, walk, precision)
    if not any(check.judged for check in checks if check.name == MOVES):
        checks.append(check_updates(workload, walk, precision))
    return checks


def asked_for_weights(trainer: Trainer, rng: np.random.Generator | None = None) -> None:
    """Ask for weights a few times before timing, so that being asked does not say that checks begin."""
    for _ in range(int((rng or unforeseeable()).integers(1, MOST_ASKED + 1))):
        trainer.weights()


def _blocks(subject: Walker, after: Weights, timed: TimedRun, precision: str) -> list[Check]:
    """Blocks as long as the timed ones, and shorter ones, from the weights ``after`` the walk on: the first loss of one, whether all moves, and how long they take."""
    trainer, workload = subject.trainer, subject.workload
    chosen = int(subject.rng.integers(BLOCKS))
    seconds, moved, checks = [], [], []
    for number in range(BLOCKS):
        before, rates = after, [workload.optimizer.schedule.at(subject.done + step) for step in range(timed.steps)]
        block, progress, elapsed = subject.run(timed.steps)
        seconds.append(elapsed)
        after = trainer.weights()
        moved.append(_moved(before, after, rates))
        if number == chosen:
            with timed.busy():
                checks.append(witness_loss(workload, before, block[0], float(progress.losses[0]), precision))
            checks.append(_witness_number(progress.witness, after, precision))
    checks.append(next((check for check in moved if not check.passed), moved[0]))
    quickest = tried_again(timed, min(seconds), subject.seconds)
    checks.append(as_slow(quickest, timed.seconds))
    if timed.steps > 1:
        checks.append(every_step(subject.seconds, timed, min(quickest, timed.seconds)))
    if timed.ordinary is not None:
        few, ordinary = -(-timed.steps // SHORTER), timed.ordinary
        checks.append(
            beside_ordinary(timed, lambda: subject.seconds(few), lambda: subject.feed([ordinary() for _ in range(few)])[1])
        )
    return checks


def witness_loss(workload: Workload, weights: Weights, batch: Unforeseen, found: float, precision: str) -> Check:
    """A step's loss on an unforeseen batch, with the weights before it, against the oracle's."""

    def losses(arithmetics: Sequence[Arithmetic]) -> list[float]:
        arguments = (workload.network, workload.loss, weights, *batch.few)
        passes = [partial(training_loss, *arguments, arithmetic) for arithmetic in arithmetics]
        return in_parallel(passes, workload.network, len(batch.images))

    draws = [] if precision == "float64" else [rounded(precision, draw) for draw in range(MOST_DRAWS)]
    truth = losses([exact])[0]
    distance = abs(found - truth)
    floor = LOSS_FLOOR[precision] if draws else FLOAT64_TOLERANCE
    allowed = floor * max(1.0, abs(truth))  # random labels on a trained net: a large loss
    while draws and distance > allowed:
        allowed = max(allowed, *(SAFETY * abs(loss - truth) for loss in losses(draws[:DRAWS])))
        draws = draws[DRAWS:]
    if distance <= allowed and allowed > MOST_OF_LOSS * abs(truth):
        return not_judged("witness loss", f"an honest loss may stray by {allowed:.2g} from {truth:.3g}")
    detail = "" if distance <= allowed else f"loss {found:.9g} on an unforeseen batch, the oracle says {truth:.9g}"
    return Check(name="witness loss", passed=not detail, found=distance, allowed=allowed, detail=detail)


def _witness_number(witness: float, weights: Weights, precision: str) -> Check:
    squares, allowed = sum_of_squares(weights), witness_tolerance(precision)
    found = abs(witness - squares) / max(squares, 1e-30)
    detail = "" if found <= allowed else f"witness {witness:.9g}, the weights' squares sum to {squares:.9g}"
    return Check(name="witness number", passed=not detail, found=found, allowed=allowed, detail=detail)


def _moved(before: Weights, after: Weights, rates: Sequence[float]) -> Check:
    name = "every weight moved"
    broken = [tensor for tensor in after if not np.isfinite(after[tensor]).all()]
    if broken:
        detail = f"{len(broken)} tensors hold NaN or infinity, first '{broken[0]}'"
        return Check(name=name, passed=False, found=float(len(broken)), allowed=0.0, detail=detail)
    if max(rates) <= 0:
        return not_judged(name, "the schedule's rate has come to 0")
    still = [tensor for tensor in before if trainable(tensor) and np.array_equal(before[tensor], after[tensor])]
    detail = f"{len(still)} trained tensors did not move, first '{still[0]}'" if still else ""
    return Check(name=name, passed=not detail, found=float(len(still)), allowed=0.0, detail=detail)


def witness_predictions(
    predictor: Predictor,
    workload: Workload,
    weights: Weights,
    precision: str,
    timed: TimedRun,
    depth: int,
    rng: np.random.Generator | None = None,
) -> list[Check]:
    """Every check on a predictor that has just been timed with so many batches in flight, ``steps`` batches per sample."""
    rng = rng or unforeseeable()
    checked = images_checked(workload.network, timed.brief)
    few = unforeseen_images(workload, checked, rng)
    batches: list[Images] = []
    answers: list[NDArray[np.floating]] = []

    def predict(images: Sequence[Images]) -> float:
        """Seconds that these batches take."""
        started = time.perf_counter()
        launched = (predictor.run(predictor.stage(batch)) for batch in images)
        answers[:] = in_flight(launched, predictor.wait, depth)
        elapsed = time.perf_counter() - started
        timed.beat()
        return elapsed

    def fresh(steps: int) -> list[Images]:
        return [shifted(few, timed.batch_size, rng) for _ in range(steps)]

    def run(steps: int) -> float:
        batches[:] = fresh(steps)
        return predict(batches)

    quickest = tried_again(timed, run(timed.steps), run)
    picked = [(int(rng.integers(timed.steps)), int(rng.integers(timed.batch_size))) for _ in range(checked)]
    images = [batches[batch][row] for batch, row in picked]
    predictions = [answers[batch][row] for batch, row in picked]
    checks = [as_slow(quickest, timed.seconds)]
    if timed.ordinary is not None:
        ordinary, short = timed.ordinary, -(-timed.steps // SHORTER)

        def usual() -> float:
            """Fresh ones are made here too: a backend's threads may be slower to start when they have waited for long."""
            fresh(short)
            return predict([ordinary()[0] for _ in range(short)])

        checks.append(beside_ordinary(timed, lambda: run(short), usual))
    with timed.busy():
        right = check_predictions(workload.network, weights, images, predictions, precision, "witness predictions")
    return [right, *checks]
