"""Proof of what was timed: checks made inside every trial, on the very trainer or predictor whose samples count.

Training. The trainer's first steps run the golden batches, repeated to the timed batch size (``bench.verify.batches``), so
its first losses have a known curve. After the timed blocks come the witness blocks of ``bench.verify.witness``.

Inference. Of all images whose predictions were timed, some are drawn at random afterwards and held against the oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.contract import Progress, Workload
from bench.oracle.arithmetic import rounded
from bench.oracle.model import Oracle, predict
from bench.record.schema import Check
from bench.spec import Network, Weights
from bench.spec.counts import forward_elements
from bench.spec.weights import initial_weights
from bench.verify import compare
from bench.verify.batches import Batch, base_size, tile
from bench.verify.envelope import FLOAT64_TOLERANCE, FLOOR, SAFETY, envelope_of_training
from bench.verify.golden import Golden, batches_of, checked_golden
from bench.verify.parallel import in_parallel

FEWEST_CHECKED, MOST_CHECKED, CHECKED_ELEMENTS = 8, 32, 40_000_000
"""Images whose predictions are checked, and the activations that one pass of the oracle over them may read and write (a second or so)."""

DRAWS = 3


@dataclass(frozen=True)
class FirstSteps:
    """The batches a timed trainer starts with, and what their losses must be."""

    batches: Sequence[Batch]  # repeated to the timed batch size
    golden: Golden | None  # where its batch divides the timed one
    expected: Callable[[], Golden]  # the curve of this case, by the oracle: computed on demand, after timing

    def check(self, losses: Sequence[float], precision: str) -> Check:
        """The first losses against the golden curve; against this case's own where there is none, or where they are outside:
        sums over a batch stray further the larger it is."""
        name = "first losses"
        if self.golden is not None:
            check = compare.check_losses(self.golden, losses, precision, name)
            repeated = len(self.batches[0][1]) > self.golden.images
            if check.passed or precision == "float64" or not repeated:
                return check
        return compare.check_losses(self.expected(), losses, precision, name)


def first_steps(workload: Workload, batch_size: int, precision: str, steps: int = 0) -> tuple[FirstSteps, Workload]:
    """What a trainer that will make ``steps`` steps starts with, and the workload to give it."""
    golden, batches = checked_golden(workload)
    trained = _unending(workload, steps)
    size = base_size(batch_size, golden.images)
    rates = [[spec.optimizer.schedule.at(step) for step in range(len(golden.losses))] for spec in (workload, trained)]
    holds = size == golden.images and rates[0] == rates[1]
    own = batches if holds else batches_of(workload, 3, size)

    def expected() -> Golden:
        run = Oracle(trained.network, trained.loss, trained.optimizer, initial_weights(trained.network, trained.seed))
        losses = golden.losses if holds else [run.step(*batch) for batch in own]
        if precision == "float64":
            return golden.with_curve(losses, {})
        envelope = envelope_of_training(trained, own, losses, None, precision, DRAWS, batch_size // size)
        return golden.with_curve(losses, {precision: envelope})

    return FirstSteps([tile(batch, batch_size) for batch in own], golden if holds else None, expected), trained


def _unending(workload: Workload, steps: int) -> Workload:
    """The workload with its schedule stretched so that ``steps`` steps do not reach its end.

    A trial of a small size makes more steps than one training does, and at the end of a cosine the rate is 0: nothing moves,
    and nothing can be proven. Behind a warm-up, the first steps keep their rates and the golden curve holds.
    """
    schedule = workload.optimizer.schedule
    if schedule.total_steps is None or schedule.total_steps >= 2 * steps:
        return workload
    return replace(workload, optimizer=replace(workload.optimizer, schedule=replace(schedule, total_steps=2 * steps)))


def images_checked(network: Network, brief: bool = False) -> int:
    """How many predictions of a trial are held against the oracle's."""
    if brief:
        return FEWEST_CHECKED
    return min(max(CHECKED_ELEMENTS // forward_elements(network), FEWEST_CHECKED), MOST_CHECKED)


def check_timed_losses(blocks: Sequence[Progress], steps: int) -> Check:
    """Every timed block must give a finite loss for each of its ``steps``, and no two blocks the same ones."""
    curves = [np.asarray(block.losses, np.float64) for block in blocks]
    detail = ""
    for number, curve in enumerate(curves, 1):
        if curve.shape != (steps,):
            detail = f"timed block {number} of {steps} steps gave losses of shape {curve.shape}"
        elif not np.isfinite(curve).all():
            detail = f"timed block {number} gave a loss that is not finite"
        if detail:
            break
    else:
        if len(curves) > 1 and all(np.array_equal(curve, curves[0]) for curve in curves):
            detail = f"all {len(curves)} timed blocks gave the same losses, on different images"
    return Check(name="timed losses", passed=not detail, detail=detail)


SPREAD_SAFETY = 2.2
"""Times the draws' root mean square distance, which differs far less between honest devices than the largest distance does: PyTorch's bf16
came to 0.7 to 1.4 times the draws' on the tiny and the small melanoma network, integers of eight bits with one scale for each tensor to
3.0 to 4.4 times (16 and 32 images)."""


def allowed_in_predictions(
    network: Network, weights: Weights, images: NDArray[np.uint8], truth: NDArray[np.float64], precision: str
) -> float:
    """How far an honest device may stray from the oracle's ``truth`` on these images."""
    return _allowed(network, weights, images, truth, precision)[0]


def _allowed(
    network: Network, weights: Weights, images: NDArray[np.uint8], truth: NDArray[np.float64], precision: str
) -> tuple[float, float]:
    """The same anywhere, and as a root mean square."""
    floors = _floors(precision)
    if precision == "float64":
        return floors
    passes = [partial(predict, network, weights, images, rounded(precision, draw)) for draw in range(DRAWS)]
    strayed = [drawn - truth for drawn in in_parallel(passes, network, len(images))]
    anywhere = SAFETY * max(float(np.abs(distance).max()) for distance in strayed)
    spread = SPREAD_SAFETY * max(_root_mean_square(distance) for distance in strayed)
    return max(anywhere, floors[0]), max(spread, floors[1])


def _floors(precision: str) -> tuple[float, float]:
    """What is allowed without asking the rounding model, anywhere and as a root mean square."""
    if precision == "float64":
        return FLOAT64_TOLERANCE, FLOAT64_TOLERANCE
    return FLOOR[precision], FLOOR[precision] / 2


def _root_mean_square(value: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(value, dtype=np.float64))))


def check_predictions(
    network: Network,
    weights: Weights,
    images: Sequence[NDArray[np.uint8]],
    predictions: Sequence[NDArray[np.floating]],
    precision: str,
    name: str = "timed predictions",
) -> Check:
    """Predictions (classes,) of single timed ``images`` (height, width, 3) against the oracle's."""
    batch, found = np.stack(images), np.stack(predictions)
    truth = predict(network, weights, batch)
    check = _held(name, found, truth, *_floors(precision))
    if (check.passed and check.judged) or precision == "float64":
        return check
    return _held(name, found, truth, *_allowed(network, weights, batch, truth, precision))


def _held(name: str, found: NDArray[np.floating], truth: NDArray[np.float64], anywhere: float, spread: float) -> Check:
    """Predictions against the ``truth``, none of which may stray by more than ``anywhere``, and their root mean square by ``spread``."""
    check = compare.check_predictions(name, found, truth, anywhere)
    strayed = _root_mean_square(found - truth) if found.shape == truth.shape else 0.0
    if check.passed and not strayed <= spread:
        detail = f"probabilities stray by {strayed:.3g} (root mean square), honest ones by {spread:.3g} at most"
        return Check(name=name, passed=False, found=strayed, allowed=spread, detail=detail)
    if not check.judged and _root_mean_square(truth - truth.mean(axis=0)) > spread:
        return msgspec.structs.replace(check, judged=True, found=strayed, allowed=spread, detail="")
    return check
