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

import math
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.contract import Predictor, Progress, Trainer, Workload
from bench.in_flight import in_flight
from bench.oracle.arithmetic import Arithmetic, exact, rounded
from bench.oracle.model import training_loss
from bench.record.schema import Check
from bench.spec import Weights, trainable
from bench.spec.tensors import tensor_shapes
from bench.verify.batches import Batch, Images, Labels, base_size
from bench.verify.compare import misfit, sum_of_squares, witness_tolerance
from bench.verify.envelope import FLOAT64_TOLERANCE, LOSS_FLOOR, SAFETY
from bench.verify.golden import steps_and_images
from bench.verify.parallel import in_parallel
from bench.verify.timed import DRAWS, IMAGES_CHECKED, check_predictions
from bench.verify.updates import Walk, check_updates

BLOCKS = 3

MOST_DRAWS = 16
"""Of the rounding model for one loss: where ``DRAWS`` happen to lie close together they say little of how far rounding may go,
so a loss outside is held against more of them before it is judged."""

TRIES, DISTURBED_SECONDS, PATIENCE_SECONDS = 40, 3.0, 20.0
"""Another process may disturb some blocks: what looks too slow is tried again so often, and for at least as long as such a
disturbance may last, but not beyond patience, before it is judged, since one undisturbed block is enough."""

DISTURBED_PATIENCE_SECONDS = 60.0
"""Patience while other processes are seen to use the machine: what takes turns with them may be slow for as long as they work."""

SHORTER = 8
SLOWER_SIDE_BY_SIDE = 1.3
"""How much longer a witness block may take than an ordinary one beside it, one after the other, so that a busy machine hits both. A backend that tells the two apart and does less on ordinary batches shows here."""

SLOWER_THAN_TIMED = 2.5
"""How much longer the quickest witness block may take than the median timed one: room for a noisy machine, none for a
backend that skips most of its work while it is timed."""

BUSY = "; if other work disturbs this machine, bench doctor names it"


@dataclass(frozen=True)
class TimedRun:
    """What was timed."""

    batch_size: int
    steps: int  # optimizer steps, or batches, per sample
    seconds: float  # the median sample
    done: int = 0  # optimizer steps that the trainer has made so far
    ordinary: Callable[[], Batch] | None = None  # the next batch of those that were timed
    beat: Callable[[], None] = lambda: None  # called after each block: checking may take a while
    busy: Callable[[], AbstractContextManager[None]] = nullcontext  # entered while the oracle computes
    disturbed: Callable[[], bool] = lambda: False  # whether others have used this machine since it was last asked


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
    trainer: Trainer, workload: Workload, precision: str, timed: TimedRun, rng: np.random.Generator | None = None
) -> list[Check]:
    """Every check on a trainer that has just been timed; ``rng`` only where a test must repeat itself."""
    subject = _Subject(trainer, workload, timed.batch_size, rng or unforeseeable(), timed.done, timed.beat)
    chosen = int(subject.rng.integers(BLOCKS))
    seconds, moved, checks = [], [], []
    after = trainer.weights()
    fault = misfit(after, tensor_shapes(workload.network))
    if fault:
        return [Check(name="canonical weights", passed=False, detail=fault)]
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
    quickest = _tried_again(timed, min(seconds), lambda: subject.run(timed.steps)[2])
    checks.append(_as_slow(quickest, timed.seconds))
    if timed.steps > 1:
        checks.append(_every_step(subject, timed, min(quickest, timed.seconds)))
    if timed.ordinary is not None:
        few, ordinary = -(-timed.steps // SHORTER), timed.ordinary
        checks.append(
            _beside_ordinary(timed, lambda: subject.run(few)[2], lambda: subject.feed([ordinary() for _ in range(few)])[1])
        )
    walk = subject.walk()
    with timed.busy():
        checks.append(check_updates(workload, walk, precision))
    return checks


@dataclass
class _Subject:
    """A trainer under inspection, and how many optimizer steps it has made."""

    trainer: Trainer
    workload: Workload
    batch_size: int
    rng: np.random.Generator
    done: int
    beat: Callable[[], None]

    def run(self, steps: int) -> tuple[list[Unforeseen], Progress, float]:
        """A block of so many steps on unforeseen batches, and the seconds it took."""
        block = [unforeseen_batch(self.workload, self.batch_size, self.rng) for _ in range(steps)]
        return block, *self.feed([batch.fed for batch in block])

    def feed(self, batches: Sequence[Batch]) -> tuple[Progress, float]:
        """A block of these batches, and the seconds it took."""
        started = time.perf_counter()
        progress = self.trainer.wait(self.trainer.run([self.trainer.stage(*batch) for batch in batches]))
        elapsed = time.perf_counter() - started
        self.done += len(batches)
        self.beat()
        return progress, elapsed

    def walk(self) -> Walk:
        """Two blocks of one step, and the weights around them."""
        first, weights, batches = self.done, [self.trainer.weights()], []
        for _ in range(2):
            block, _, _ = self.run(1)
            batches.append(block[0].few)
            weights.append(self.trainer.weights())
        return Walk((weights[0], weights[1], weights[2]), (batches[0], batches[1]), first)


def _tried_again(timed: TimedRun, quickest: float, run: Callable[[], float]) -> float:
    """Return the seconds of the quickest block: ``quickest``, or where that is too much for what was timed, what patience finds."""
    patience = _Patience(timed.disturbed)
    while quickest > SLOWER_THAN_TIMED * timed.seconds and patience.left():
        quickest = min(quickest, run())
    return quickest


class _Patience:
    """Whether what looks slow is to be tried once more."""

    def __init__(self, disturbed: Callable[[], bool]) -> None:
        self._tries = 0
        self._started = time.perf_counter()
        self._disturbed = disturbed
        disturbed()  # from now on

    def left(self) -> bool:
        """Called before each try but the first few."""
        self._tries += 1
        spent = time.perf_counter() - self._started
        if spent <= PATIENCE_SECONDS and (self._tries <= TRIES or spent <= DISTURBED_SECONDS):
            return True
        return spent <= DISTURBED_PATIENCE_SECONDS and self._disturbed()


def _step_bounds(quickest: float, timed: TimedRun) -> tuple[float, float]:
    """Seconds per step that a short block may take, given what the ``quickest`` long one took.

    A timed block may hold work of the host's, such as the making of its batches, which the blocks here do not time: the lower
    bound is therefore the long blocks', not the timed ones'.
    """
    return quickest / timed.steps / SLOWER_THAN_TIMED, SLOWER_THAN_TIMED * timed.seconds / timed.steps


def _short_step(subject: _Subject, timed: TimedRun, quickest: float) -> tuple[float, tuple[float, float]]:
    """Seconds per step of short blocks, and the bounds they must keep; what a block costs beside its steps does not count.

    Where a step of a short block seems to take too little, the long blocks may just have been disturbed: they are tried again too.
    """
    few = -(-timed.steps // SHORTER)
    blocks: list[float] = []
    singles: list[float] = []
    step, bounds = math.inf, _step_bounds(quickest, timed)
    patience = _Patience(timed.disturbed)
    while len(blocks) < BLOCKS or (not bounds[0] <= step <= bounds[1] and patience.left()):
        blocks.append(subject.run(few)[2])
        if few > 1:
            singles.append(subject.run(1)[2])
        step = (min(blocks) - min(singles)) / (few - 1) if few > 1 else min(blocks)
        if len(blocks) >= BLOCKS and step < bounds[0]:
            quickest = min(quickest, subject.run(timed.steps)[2])
            bounds = _step_bounds(quickest, timed)
    return step, bounds


def witness_loss(workload: Workload, weights: Weights, batch: Unforeseen, found: float, precision: str) -> Check:
    """A step's loss on an unforeseen batch, with the weights before it, against the oracle's."""

    def losses(arithmetics: Sequence[Arithmetic]) -> list[float]:
        arguments = (workload.network, workload.loss, weights, *batch.few)
        passes = [partial(training_loss, *arguments, arithmetic) for arithmetic in arithmetics]
        return in_parallel(passes, workload.network, len(batch.images))

    draws = [] if precision == "float64" else [rounded(precision, draw) for draw in range(MOST_DRAWS)]
    truth, *drawn = losses([exact, *draws[:DRAWS]])
    distance = abs(found - truth)
    floor = LOSS_FLOOR[precision] if draws else FLOAT64_TOLERANCE
    allowed = floor * max(1.0, abs(truth))  # random labels on a trained net: a large loss
    while drawn:
        allowed = max(allowed, *(SAFETY * abs(loss - truth) for loss in drawn))
        draws = draws[DRAWS:]
        drawn = losses(draws[:DRAWS]) if distance > allowed else []
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
        detail=f"a checked block took {witness:.3g} s, timed ones {timed:.3g} s{BUSY}" if slower else "",
    )


def _every_step(subject: _Subject, timed: TimedRun, quickest: float) -> Check:
    """Neither may a step of a short block take longer, as where a long one leaves steps out, nor next to nothing, as where any
    block does one step's work. ``quickest``: seconds of the quickest long block so far."""
    short, bounds = _short_step(subject, timed, quickest)
    usual = timed.seconds / timed.steps
    passed = bounds[0] <= short <= bounds[1]
    detail = "" if passed else f"a step takes {short:.3g} s in a short block, {usual:.3g} s in a timed one{BUSY}"
    found = short / usual
    return Check(
        name="every step of a block takes its time", passed=passed, found=found, allowed=SLOWER_THAN_TIMED, detail=detail
    )


def _beside_ordinary(timed: TimedRun, witness: Callable[[], float], ordinary: Callable[[], float]) -> Check:
    """Blocks of both kinds one after the other, the order reversed every time.

    On a machine that is busy nearly all the time a single quick block is luck, where it is idle nearly all the time a single
    slow one is; so it is enough that the quickest of each kind, or that most pairs, are alike.
    """
    ones: list[float] = []
    others: list[float] = []
    ratio = math.inf
    patience = _Patience(timed.disturbed)
    while len(ones) < BLOCKS or (ratio > SLOWER_SIDE_BY_SIDE and patience.left()):
        for run, seconds in ((witness, ones), (ordinary, others))[:: -1 if len(ones) % 2 else 1]:
            seconds.append(run())
        quickest = min(ones) / min(others)
        typical = median(one / other for one, other in zip(ones, others, strict=True))
        ratio = min(quickest, typical)
    detail = f"a checked block takes {ratio:.3g} times as long as an ordinary one beside it, of {min(others):.3g} s"
    slower = ratio > SLOWER_SIDE_BY_SIDE
    return Check(
        name="ordinary batches take as long",
        passed=not slower,
        found=ratio,
        allowed=SLOWER_SIDE_BY_SIDE,
        detail=detail + BUSY if slower else "",
    )


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
    few = unforeseen_images(workload, IMAGES_CHECKED, rng)
    batches: list[Images] = []
    answers: list[NDArray[np.floating]] = []

    def run(steps: int = timed.steps) -> float:
        batches[:] = [_shifted(few, timed.batch_size, rng) for _ in range(steps)]
        started = time.perf_counter()
        answers[:] = _predict(predictor, batches, depth)
        elapsed = time.perf_counter() - started
        timed.beat()
        return elapsed

    quickest = _tried_again(timed, run(), run)
    picked = [(int(rng.integers(timed.steps)), int(rng.integers(timed.batch_size))) for _ in range(IMAGES_CHECKED)]
    images = [batches[batch][row] for batch, row in picked]
    predictions = [answers[batch][row] for batch, row in picked]
    beside = []
    if timed.ordinary is not None:
        ordinary, short = timed.ordinary, -(-timed.steps // SHORTER)

        def usual() -> float:
            known = [ordinary()[0] for _ in range(short)]
            started = time.perf_counter()
            _predict(predictor, known, depth)
            elapsed = time.perf_counter() - started
            timed.beat()
            return elapsed

        beside = [_beside_ordinary(timed, lambda: run(short), usual)]
    with timed.busy():
        right = check_predictions(workload.network, weights, images, predictions, precision, "witness predictions")
    return [right, _as_slow(quickest, timed.seconds), *beside]


def _shifted(images: Images, count: int, rng: np.random.Generator) -> Images:
    """``count`` different images at next to no cost: the few, rolled by random distances and with some bits of their colours
    turned over."""
    height, width = images.shape[1:3]
    copies = -(-count // len(images))
    shifts = zip(rng.integers(0, height, copies), rng.integers(0, width, copies), strict=True)
    # Other colours too, lest a device that remembers images meets a small one again.
    colours = rng.integers(0, 256, (copies, 3), dtype=np.uint8)
    return np.concatenate([np.roll(images, shift, (1, 2)) ^ colour for shift, colour in zip(shifts, colours, strict=True)])[
        :count
    ]


def _predict(predictor: Predictor, batches: Sequence[Images], depth: int) -> list[NDArray[np.floating]]:
    return list(in_flight((predictor.run(predictor.stage(batch)) for batch in batches), predictor.wait, depth))
