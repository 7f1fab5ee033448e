"""The same lowering in a precision that is sharp, for cases whose own rounding hides too much.

In bf16 a deep network's honest updates stray as far as wrong ones, so nothing there can be judged. The graph, the options and the
batches are the same in fp32, and there every tensor can be. The proof runs in the case's own process, after its own checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
from msgspec.structs import replace as changed

from bench.record.schema import Check
from bench.spec import Weights
from bench.spec.tensors import tensor_shapes
from bench.verify.compare import misfit
from bench.verify.equivalence import Subject
from bench.verify.timed import check_predictions, images_checked
from bench.verify.unforeseen import unforeseeable, unforeseen_images
from bench.verify.walk import Walker
from bench.verify.witness import judged_walk

COARSE = ("tf32", "bf16")
SHARP = ("fp32", "float64")

BEGINNING = 3
"""Steps before the walk: at the very first, a warm-up's learning rate may be too small to show."""


def needed(checks: Sequence[Check], precision: str) -> bool:
    """Whether some check of a coarse precision could not be judged, and none failed."""
    return precision in COARSE and all(check.passed for check in checks) and not all(check.judged for check in checks)


def sharpest(subject: Subject, offered: Sequence[str]) -> tuple[Subject, list[Check]]:
    """The subject in the first of ``SHARP`` that its device offers, or a check that fails because there is none."""
    precision = next((name for name in SHARP if name in offered), "")
    if precision:
        return replace(subject, settings=replace(subject.settings, precision=precision)), []
    own = subject.settings.precision
    lacking = (
        f"rounding in {own} hides too much of this network, and device {subject.device} computes neither fp32 nor float64"
    )
    return subject, [Check(name="a sharper precision", passed=False, detail=lacking)]


def sharp_training(
    subject: Subject,
    offered: Sequence[str],
    busy: Callable[[], AbstractContextManager[None]] = nullcontext,
    beat: Callable[[], None] = lambda: None,
    rng: np.random.Generator | None = None,
) -> list[Check]:
    """A walk with two blocks of one step, made by a new trainer in the sharpest precision that the device has ``offered``."""
    subject, lacking = sharpest(subject, offered)
    if lacking:
        return lacking
    walker = Walker(subject.trainer(), subject.workload, subject.settings.batch_size, rng or unforeseeable(), 0, beat)
    for _ in range(BEGINNING):
        walker.run(1)
    weights = walker.trainer.weights()
    fault = misfit(weights, tensor_shapes(subject.workload.network))
    if fault:
        return [named(Check(name="canonical weights", passed=False, detail=fault), subject)]
    walk = walker.walk(weights, 1)
    with busy():
        return [named(check, subject) for check in judged_walk(subject.workload, walk, subject.settings.precision)]


def sharp_predictions(
    subject: Subject,
    offered: Sequence[str],
    weights: Weights,
    busy: Callable[[], AbstractContextManager[None]] = nullcontext,
    rng: np.random.Generator | None = None,
) -> list[Check]:
    """Predictions of unforeseen images by a new predictor in the sharpest precision that the device has ``offered``."""
    subject, lacking = sharpest(subject, offered)
    if lacking:
        return lacking
    rng = rng or unforeseeable()
    size = subject.settings.batch_size
    images = unforeseen_images(subject.workload, min(size, images_checked(subject.workload.network)), rng)
    order = rng.integers(0, len(images), size)
    predictor = subject.predictor(weights)
    found = predictor.wait(predictor.run(predictor.stage(images[order])))
    with busy():
        wrong = found.shape != (size, subject.workload.network.classes)
        if wrong:
            detail = f"predictions have shape {found.shape}, expected {(size, subject.workload.network.classes)}"
            return [named(Check(name="predictions", passed=False, detail=detail), subject)]
        network, precision = subject.workload.network, subject.settings.precision
        return [
            named(check_predictions(network, weights, list(images[order]), list(found), precision, "predictions"), subject)
        ]


def named(check: Check, subject: Subject) -> Check:
    """The check of a sharper precision, which it names."""
    return changed(check, name=f"{check.name}, in {subject.settings.precision}")
