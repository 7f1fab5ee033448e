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

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import oracle
from bench.contract import Predictor, Progress, Trainer, Workload
from bench.record.schema import Check
from bench.spec import Weights, tensor_shapes, trainable
from bench.verify.batches import Batch, Images, Labels, base_size
from bench.verify.compare import misfit, sum_of_squares, witness_tolerance
from bench.verify.envelope import FLOAT64_TOLERANCE, FLOOR, SAFETY
from bench.verify.golden import steps_and_images
from bench.verify.timed import DRAWS, IMAGES_CHECKED, check_predictions
from bench.verify.updates import Walk, check_updates

BLOCKS = 3
MOST_BLOCKS = 12
"""Another process may disturb a few blocks: a trial that looks too slow gets this many before it is judged."""

SHORTER = 8
SLOWER_THAN_TIMED = 2.5
"""How much longer the quickest witness block may take than the median timed one: room for a noisy machine, none for a
backend that skips most of its work while it is timed."""


@dataclass(frozen=True)
class Timed:
    """What was timed."""

    batch_size: int
    steps: int  # optimizer steps, or batches, per sample
    seconds: float  # the median sample
    done: int = 0  # optimizer steps that the trainer has made so far


@dataclass(frozen=True)
class Unforeseen:
    """A batch nobody can have seen before."""

    images: Images  # (few, height, width, 3)
    labels: Labels  # (batch,): copy j of image i has label j * few + i
    fed: Batch  # all the copies, in random order

    @property
    def few(self) -> Batch:
        """What the oracle needs."""
        return self.images, self.labels


def unforeseen_batch(workload: Workload, batch_size: int, rng: np.random.Generator) -> Unforeseen:
    """Copies of a few unforeseen images with random labels, in random order."""
    images = unforeseen_images(workload, base_size(batch_size, steps_and_images(workload)[1]), rng)
    labels = rng.integers(0, workload.network.classes, batch_size).astype(np.int32)
    order = rng.permutation(batch_size)
    return Unforeseen(images, labels, (images[order % len(images)], labels[order]))


def unforeseen_images(workload: Workload, count: int, rng: np.random.Generator) -> Images:
    """Blobs of random colour, size and place with grain."""
    network = workload.network
    y, x = np.mgrid[0 : network.height, 0 : network.width].astype(np.float32)
    centre = rng.uniform(0.2, 0.8, (count, 2)).astype(np.float32) * (network.height, network.width)
    radius = rng.uniform(0.1, 0.4, (count, 1, 1)).astype(np.float32) * network.height
    distance = (y - centre[:, :1, None]) ** 2 + (x - centre[:, 1:, None]) ** 2
    inside = np.exp(-distance / radius**2)[..., None]
    skin, lesion = rng.uniform(0, 255, (2, count, 1, 1, 3)).astype(np.float32)
    grain = rng.normal(0, 12, (count, network.height, network.width, 3)).astype(np.float32)
    return np.asarray(np.clip(skin + (lesion - skin) * inside + grain, 0, 255), np.uint8)


def unforeseeable() -> np.random.Generator:
    """Nobody knows its seed."""
    return np.random.default_rng(secrets.randbits(128))


def witness_training(
    trainer: Trainer, workload: Workload, precision: str, timed: Timed, rng: np.random.Generator | None = None
) -> list[Check]:
    """Every check on a trainer that has just been timed; ``rng`` only where a test must repeat itself."""
    rng = rng or unforeseeable()
    chosen = int(rng.integers(BLOCKS))
    seconds, moved, checks = [], [], []
    after = trainer.weights()
    fault = misfit(after, tensor_shapes(workload.network))
    if fault:
        return [Check(name="canonical weights", passed=False, detail=fault)]
    done = timed.done
    for number in range(BLOCKS):
        before = after
        block = [unforeseen_batch(workload, timed.batch_size, rng) for _ in range(timed.steps)]
        progress, elapsed = _run(trainer, block)
        seconds.append(elapsed)
        after = trainer.weights()
        moved.append(_moved(before, after, [workload.optimizer.schedule.at(done + step) for step in range(timed.steps)]))
        if number == chosen:
            checks.append(_witness_loss(workload, before, block[0], float(progress.losses[0]), precision))
            checks.append(_witness_number(progress.witness, after, precision))
        done += timed.steps
    checks.append(next((check for check in moved if not check.passed), moved[0]))
    while min(seconds) > SLOWER_THAN_TIMED * timed.seconds and len(seconds) < MOST_BLOCKS:
        block = [unforeseen_batch(workload, timed.batch_size, rng) for _ in range(timed.steps)]
        seconds.append(_run(trainer, block)[1])
        done += timed.steps
    checks.append(_as_slow(min(seconds), timed.seconds))
    if timed.steps > 1:
        few = -(-timed.steps // SHORTER)
        step = _quickest(trainer, workload, timed.batch_size, few, rng)
        done += few * BLOCKS
        if few > 1:  # what a block costs beside its steps must not count as time per step
            step = (step - _quickest(trainer, workload, timed.batch_size, 1, rng)) / (few - 1)
            done += BLOCKS
        checks.append(_every_step(step, timed.seconds / timed.steps))
    checks.append(check_updates(workload, _walk(trainer, workload, timed.batch_size, done, rng)))
    return checks


def _quickest(trainer: Trainer, workload: Workload, batch_size: int, steps: int, rng: np.random.Generator) -> float:
    """Seconds of the quickest of some blocks."""
    blocks = [[unforeseen_batch(workload, batch_size, rng) for _ in range(steps)] for _ in range(BLOCKS)]
    return min(_run(trainer, block)[1] for block in blocks)


def _run(trainer: Trainer, block: Sequence[Unforeseen]) -> tuple[Progress, float]:
    started = time.perf_counter()
    progress = trainer.wait(trainer.run([trainer.stage(*batch.fed) for batch in block]))
    return progress, time.perf_counter() - started


def _walk(trainer: Trainer, workload: Workload, batch_size: int, done: int, rng: np.random.Generator) -> Walk:
    batches = [unforeseen_batch(workload, batch_size, rng) for _ in range(2)]
    weights = [trainer.weights()]
    for batch in batches:
        _run(trainer, [batch])
        weights.append(trainer.weights())
    return Walk((weights[0], weights[1], weights[2]), (batches[0].few, batches[1].few), done)


def _witness_loss(workload: Workload, weights: Weights, batch: Unforeseen, found: float, precision: str) -> Check:
    arguments = (workload.network, workload.loss, weights, *batch.few)
    truth = oracle.training_loss(*arguments)
    if precision == "float64":
        allowed = FLOAT64_TOLERANCE * max(1.0, abs(truth))
    else:
        drawn = [oracle.training_loss(*arguments, oracle.rounded(precision, draw)) for draw in range(DRAWS)]
        allowed = max(SAFETY * max(abs(value - truth) for value in drawn), FLOOR[precision])
    distance = abs(found - truth)
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
        return Check(name=name, passed=True, detail="not judged: the schedule's rate has come to 0")
    still = [tensor for tensor in before if trainable(tensor) and np.array_equal(before[tensor], after[tensor])]
    detail = f"{len(still)} trained tensors did not move, first '{still[0]}'" if still else ""
    return Check(name=name, passed=not detail, found=float(len(still)), allowed=0.0, detail=detail)


def _as_slow(witness: float, timed: float) -> Check:
    ratio = witness / timed
    slower = ratio > SLOWER_THAN_TIMED
    return Check(
        name="checked blocks as quick as timed ones",
        passed=not slower,
        found=ratio,
        allowed=SLOWER_THAN_TIMED,
        detail=f"a checked block took {witness:.3g} s, timed ones {timed:.3g} s" if slower else "",
    )


def _every_step(short: float, timed: float) -> Check:
    ratio = short / timed
    quicker = ratio > SLOWER_THAN_TIMED
    return Check(
        name="every step of a block takes its time",
        passed=not quicker,
        found=ratio,
        allowed=SLOWER_THAN_TIMED,
        detail=f"a step takes {short:.3g} s in a short block, {timed:.3g} s in a timed one" if quicker else "",
    )


def witness_predictions(
    predictor: Predictor,
    workload: Workload,
    weights: Weights,
    precision: str,
    timed: Timed,
    in_flight: int,
    rng: np.random.Generator | None = None,
) -> list[Check]:
    """Every check on a predictor that has just been timed with so many batches in flight, ``steps`` batches per sample."""
    rng = rng or unforeseeable()
    few = unforeseen_images(workload, IMAGES_CHECKED, rng)
    seconds: list[float] = []
    while len(seconds) < BLOCKS or (min(seconds) > SLOWER_THAN_TIMED * timed.seconds and len(seconds) < MOST_BLOCKS):
        batches = [_shifted(few, timed.batch_size, rng) for _ in range(timed.steps)]
        started = time.perf_counter()
        answers = _predict(predictor, batches, in_flight)
        seconds.append(time.perf_counter() - started)
    picked = [(int(rng.integers(timed.steps)), int(rng.integers(timed.batch_size))) for _ in range(IMAGES_CHECKED)]
    images = [batches[batch][row] for batch, row in picked]
    predictions = [answers[batch][row] for batch, row in picked]
    right = check_predictions(workload.network, weights, images, predictions, precision, "witness predictions")
    return [right, _as_slow(min(seconds), timed.seconds)]


def _shifted(images: Images, count: int, rng: np.random.Generator) -> Images:
    """``count`` different images at next to no cost: the few, rolled by random distances."""
    height, width = images.shape[1:3]
    copies = -(-count // len(images))
    shifts = zip(rng.integers(0, height, copies), rng.integers(0, width, copies), strict=True)
    return np.concatenate([np.roll(images, shift, (1, 2)) for shift in shifts])[:count]


def _predict(predictor: Predictor, batches: Sequence[Images], in_flight: int) -> list[NDArray[np.floating]]:
    pending, answers = [], []
    for batch in batches:
        pending.append(predictor.run(predictor.stage(batch)))
        if len(pending) == in_flight:
            answers.append(predictor.wait(pending.pop(0)))
    return answers + [predictor.wait(last) for last in pending]
