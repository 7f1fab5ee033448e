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

from bench.record.checks import named_in
from bench.record.schema import Check
from bench.spec import Weights
from bench.spec.tensors import tensor_shapes
from bench.verify.compare import misfit
from bench.verify.equivalence import Subject, verify
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


def sharp_training(
    checks: Sequence[Check],
    subject: Subject,
    offered: Sequence[str],
    busy: Callable[[], AbstractContextManager[None]] = nullcontext,
    beat: Callable[[], None] = lambda: None,
    rng: np.random.Generator | None = None,
    brief: bool = False,
) -> list[Check]:
    """Where ``checks`` of a training hide something, a walk with two blocks of one step, made by a new trainer in the sharpest
    precision that the device has ``offered``; else nothing. The trainer that was timed should be gone, and with it its memory."""

    def prove(sharper: Subject) -> list[Check]:
        size = sharper.settings.batch_size
        walker = Walker(sharper.trainer(), sharper.workload, size, rng or unforeseeable(), 0, beat, brief)
        for _ in range(BEGINNING):
            walker.run(1)
        weights = walker.trainer.weights()
        fault = misfit(weights, tensor_shapes(sharper.workload.network))
        if fault:
            return [Check(name="canonical weights", passed=False, detail=fault)]
        walk = walker.walk(weights, 1)
        with busy():
            return judged_walk(sharper.workload, walk, sharper.settings.precision)

    return _proven(checks, subject, offered, prove)


def sharp_predictions(
    checks: Sequence[Check],
    subject: Subject,
    offered: Sequence[str],
    weights: Weights,
    busy: Callable[[], AbstractContextManager[None]] = nullcontext,
    rng: np.random.Generator | None = None,
    brief: bool = False,
) -> list[Check]:
    """The same for a predictor: its predictions of unforeseen images."""

    def prove(sharper: Subject) -> list[Check]:
        network, size = sharper.workload.network, sharper.settings.batch_size
        generator = rng or unforeseeable()
        images = unforeseen_images(sharper.workload, min(size, images_checked(network, brief)), generator)
        order = generator.integers(0, len(images), size)
        predictor = sharper.predictor(weights)
        found = predictor.wait(predictor.run(predictor.stage(images[order])))
        if found.shape != (size, network.classes):
            detail = f"predictions have shape {found.shape}, expected {(size, network.classes)}"
            return [Check(name="predictions", passed=False, detail=detail)]
        _, first = np.unique(order, return_index=True)  # each image once: the oracle need not repeat itself
        with busy():
            precision = sharper.settings.precision
            return [
                check_predictions(network, weights, list(images[order[first]]), list(found[first]), precision, "predictions")
            ]

    return _proven(checks, subject, offered, prove)


def sharp_verification(
    checks: Sequence[Check],
    subject: Subject,
    offered: Sequence[str],
    busy: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> list[Check]:
    """The same for ``bench verify``: everything that it checks."""
    return _proven(checks, subject, offered, lambda sharper: verify(sharper, busy))


def _proven(
    checks: Sequence[Check], subject: Subject, offered: Sequence[str], prove: Callable[[Subject], list[Check]]
) -> list[Check]:
    """What ``prove`` says of the subject in the first of ``SHARP`` that its device offers, named after it; a check that fails where
    there is none; nothing where none is needed."""
    own = subject.settings.precision
    if not needed(checks, own):
        return []
    precision = next((name for name in SHARP if name in offered), "")
    if not precision:
        lacking = f"rounding in {own} hides too much of this network, and device {subject.device} computes neither fp32 nor float64"
        return [Check(name="a sharper precision", passed=False, detail=lacking)]
    sharper = replace(subject, settings=replace(subject.settings, precision=precision))
    return [changed(check, name=named_in(check.name, precision)) for check in prove(sharper)]
