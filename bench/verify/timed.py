"""Proof of what was timed: checks made inside every trial, on the very trainer or predictor whose samples count.

Training. The trainer's first steps run the golden batches, repeated to the timed batch size (``bench.verify.batches``), so
its first losses have a known curve. After the timed blocks, *witness* blocks of the same length follow on images made up on
the spot: the first loss of one of them, chosen at random, must be what the oracle computes from the weights before it, every
trained tensor must have moved, and the blocks must take as long as the timed ones did, so that honest work cannot be kept
for the checks alone.

Inference. Of all images whose predictions were timed, some are drawn at random afterwards and held against the oracle.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import oracle
from bench.contract import Trainer, Workload
from bench.oracle import Oracle
from bench.record.schema import Check
from bench.spec import Network, Weights, initial_weights, trainable
from bench.verify.batches import Batch, base_size, tile
from bench.verify.equivalence import check_losses, worst
from bench.verify.golden import (
    FLOAT64_TOLERANCE,
    FLOOR,
    SAFETY,
    Golden,
    batches_of,
    checked_golden,
    envelope_of_losses,
)

WITNESS_BLOCKS = 3
SLOWER_THAN_TIMED = 2.5
"""How much longer the quickest witness block may take than the median timed one: room for a noisy machine, none for a
backend that skips most of its work while it is timed."""

IMAGES_CHECKED = 8
DRAWS = 3


@dataclass(frozen=True)
class FirstSteps:
    """The batches a timed trainer starts with, and what their losses must be."""

    batches: Sequence[Batch]  # repeated to the timed batch size
    expected: Callable[[], Golden]  # computed on demand, after timing, where the golden file's batch does not divide

    def check(self, losses: Sequence[float], precision: str) -> Check:
        """The first losses against the expected curve."""
        return check_losses(self.expected(), losses, precision, "first losses")


def first_steps(workload: Workload, batch_size: int, precision: str) -> FirstSteps:
    """The golden curve where its base batch divides ``batch_size``; else a curve the oracle makes for this case."""
    golden, batches = checked_golden(workload)
    size = base_size(batch_size, golden.images)
    if size == golden.images:
        return FirstSteps([tile(batch, batch_size) for batch in batches], lambda: golden)
    own = batches_of(workload, 3, size)

    def expected() -> Golden:
        weights = initial_weights(workload.network, workload.seed)
        run = Oracle(workload.network, workload.loss, workload.optimizer, weights)
        losses = [run.step(*batch) for batch in own]
        envelope = [] if precision == "float64" else envelope_of_losses(workload, own, losses, precision, DRAWS)
        return golden.with_curve(losses, precision, envelope)

    return FirstSteps([tile(batch, batch_size) for batch in own], expected)


def witness_training(
    trainer: Trainer, workload: Workload, precision: str, batch_size: int, steps: int, timed: float
) -> list[Check]:
    """Run witness blocks of ``steps`` steps; ``timed`` is the median timed sample in seconds."""
    rng = np.random.default_rng(secrets.randbits(64))
    size = base_size(batch_size, None if batch_size % 8 else 8)
    chosen = int(rng.integers(WITNESS_BLOCKS))
    seconds, moved, checks = [], [], []
    after = trainer.weights()
    for number in range(WITNESS_BLOCKS):
        before = after
        base = [unforeseen_batch(workload, size, rng) for _ in range(steps)]
        block = [tile(batch, batch_size) for batch in base]
        started = time.perf_counter()
        progress = trainer.wait(trainer.run([trainer.stage(*batch) for batch in block]))
        seconds.append(time.perf_counter() - started)
        after = trainer.weights()
        moved.append(_moved(before, after))
        if number == chosen:
            checks.append(_witness_loss(workload, before, base[0], float(progress.losses[0]), precision))
            checks.append(_witness_number(progress.witness, after))
    checks.append(next((check for check in moved if not check.passed), moved[0]))
    checks.append(_as_slow(min(seconds), timed))
    return checks


def unforeseen_batch(workload: Workload, images: int, rng: np.random.Generator) -> Batch:
    """Blobs of random colour, size and place with grain: images nobody can have seen before."""
    network = workload.network
    y, x = np.mgrid[0 : network.height, 0 : network.width].astype(np.float32)
    centre = rng.uniform(0.2, 0.8, (images, 2)).astype(np.float32) * (network.height, network.width)
    radius = rng.uniform(0.1, 0.4, (images, 1, 1)).astype(np.float32) * network.height
    distance = (y - centre[:, :1, None]) ** 2 + (x - centre[:, 1:, None]) ** 2
    inside = np.exp(-distance / radius**2)[..., None]
    skin, lesion = rng.uniform(0, 255, (2, images, 1, 1, 3)).astype(np.float32)
    grain = rng.normal(0, 12, (images, network.height, network.width, 3)).astype(np.float32)
    pixels = np.clip(skin + (lesion - skin) * inside + grain, 0, 255).astype(np.uint8)
    return pixels, rng.integers(0, network.classes, images).astype(np.int32)


def _witness_loss(workload: Workload, weights: Weights, batch: Batch, found: float, precision: str) -> Check:
    arguments = (workload.network, workload.loss, weights, *batch)
    truth = oracle.training_loss(*arguments)
    if precision == "float64":
        allowed = FLOAT64_TOLERANCE * max(1.0, abs(truth))
    else:
        drawn = [oracle.training_loss(*arguments, oracle.rounded(precision, draw)) for draw in range(DRAWS)]
        allowed = max(SAFETY * max(abs(value - truth) for value in drawn), FLOOR[precision])
    distance = abs(found - truth)
    return Check(
        name="witness loss",
        passed=bool(distance <= allowed),
        found=distance,
        allowed=allowed,
        detail="" if distance <= allowed else f"loss {found:.9g} on an unforeseen batch, the oracle says {truth:.9g}",
    )


WITNESS_TOLERANCE = 1e-3


def _witness_number(witness: float, weights: Weights) -> Check:
    squares = sum(float(np.sum(np.square(w, dtype=np.float64))) for name, w in weights.items() if trainable(name))
    found = abs(witness - squares) / max(squares, 1e-30)
    return Check(
        name="witness number",
        passed=bool(found <= WITNESS_TOLERANCE),
        found=found,
        allowed=WITNESS_TOLERANCE,
        detail="" if found <= WITNESS_TOLERANCE else f"witness {witness:.9g}, the weights' squares sum to {squares:.9g}",
    )


def _moved(before: Weights, after: Weights) -> Check:
    still = [name for name in before if trainable(name) and np.array_equal(before[name], after[name])]
    broken = [name for name in after if not np.isfinite(after[name]).all()]
    detail = ""
    if broken:
        detail = f"{len(broken)} tensors hold NaN or infinity, first '{broken[0]}'"
    elif still:
        detail = f"{len(still)} trained tensors did not move, first '{still[0]}'"
    return Check(
        name="every weight moved", passed=not detail, found=float(len(still) + len(broken)), allowed=0.0, detail=detail
    )


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


def check_predictions(
    network: Network,
    weights: Weights,
    images: Sequence[NDArray[np.uint8]],
    predictions: Sequence[NDArray[np.floating]],
    precision: str,
) -> Check:
    """Predictions (classes,) of single timed ``images`` (height, width, 3) against the oracle's."""
    batch = np.stack(images)
    truth = oracle.predict(network, weights, batch)
    found = np.abs(np.stack(predictions).astype(np.float64) - truth).max(axis=1)
    if precision == "float64":
        allowed = FLOAT64_TOLERANCE
    else:
        drawn = [oracle.predict(network, weights, batch, oracle.rounded(precision, draw)) for draw in range(DRAWS)]
        allowed = max(SAFETY * max(float(np.abs(value - truth).max()) for value in drawn), FLOOR[precision])
    return worst(
        "timed predictions",
        found,
        np.full(len(found), allowed),
        lambda i: f"predicted {predictions[i].round(6).tolist()}, the oracle says {truth[i].round(6).tolist()}",
    )
