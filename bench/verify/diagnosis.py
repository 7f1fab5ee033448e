"""Which convention a diverging backend follows instead: the oracle replays its training under each known alternative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Workload
from bench.oracle.model import Oracle
from bench.oracle.rules import SPECIFIED, Rules
from bench.spec import SGD, AdamW, BatchNorm, Layer, Weights
from bench.spec.layers import map_network
from bench.spec.weights import initial_weights
from bench.verify.batches import Batch
from bench.verify.envelope import Fingerprint, fingerprint
from bench.verify.variants import COUPLED, DECOUPLED, DIVIDED_BY_COUNT, RATE_INSIDE_VELOCITY, UNSCALED

CLOSE = 1e-7
"""Relative agreement that names a convention: far below any two conventions' difference, far above float64 rounding."""


@dataclass(frozen=True)
class Setup:
    """A training as the oracle needs it; an alternative is a function from one to another."""

    workload: Workload
    weights: Weights
    batches: Sequence[Batch]
    rules: Rules = SPECIFIED

    def same_as(self, other: Setup) -> bool:
        """Whether an alternative changed nothing here, as another momentum does where there is none."""
        return (
            self.workload == other.workload
            and self.weights is other.weights
            and self.batches is other.batches
            and self.rules is other.rules
        )


def diagnose(
    workload: Workload, batches: Sequence[Batch], losses: Sequence[float], fingerprints: Sequence[Fingerprint]
) -> str:
    """The alternative convention whose losses and tensors match all that was found, or an empty string."""
    original = Setup(workload, initial_weights(workload.network, workload.seed), batches)
    for name, change in ALTERNATIVES.items():
        changed = change(original)
        if changed is not None and not changed.same_as(original) and _fits(changed, losses, fingerprints):
            return name
    return ""


def _fits(setup: Setup, losses: Sequence[float], fingerprints: Sequence[Fingerprint]) -> bool:
    spec = setup.workload
    run = Oracle(spec.network, spec.loss, spec.optimizer, setup.weights, rules=setup.rules)
    for batch, loss, found in zip(setup.batches, losses, fingerprints, strict=True):
        if not np.isclose(run.step(*batch), loss, rtol=CLOSE, atol=0):
            return False  # most alternatives part in the first steps
        expected = fingerprint(run.weights)
        if expected.keys() != found.keys():
            return False
        if not all(np.allclose(found[tensor], pair, rtol=CLOSE, atol=CLOSE) for tensor, pair in expected.items()):
            return False
    return True


def _of_workload(setup: Setup, **fields: Any) -> Setup:
    return replace(setup, workload=replace(setup.workload, **fields))


def _norms(change: Callable[[BatchNorm], BatchNorm]) -> Callable[[Setup], Setup]:
    """Every BatchNorm changed."""

    def changed(layer: Layer) -> Layer:
        return change(layer) if isinstance(layer, BatchNorm) else layer

    return lambda setup: _of_workload(setup, network=map_network(setup.workload.network, changed))


def _optimizer(kind: type | None, **fields: object) -> Callable[[Setup], Setup | None]:
    def change(setup: Setup) -> Setup | None:
        old = setup.workload.optimizer
        if kind is not None and not isinstance(old, kind):
            return None
        return _of_workload(setup, optimizer=replace(old, **fields))  # type: ignore[arg-type]

    return change


def _toggled_nesterov(setup: Setup) -> Setup | None:
    old = setup.workload.optimizer
    return _optimizer(SGD, nesterov=not old.nesterov)(setup) if isinstance(old, SGD) else None


def _schedule(**fields: object) -> Callable[[Setup], Setup | None]:
    def change(setup: Setup) -> Setup | None:
        schedule = replace(setup.workload.optimizer.schedule, **fields)  # type: ignore[arg-type]
        return _optimizer(None, schedule=schedule)(setup)

    return change


def _network(**fields: Any) -> Callable[[Setup], Setup]:
    return lambda setup: _of_workload(setup, network=replace(setup.workload.network, **fields))


def _kernels(turn: Callable[[NDArray[np.floating]], NDArray[np.floating]]) -> Callable[[Setup], Setup]:
    def change(setup: Setup) -> Setup:
        turned = {name: turn(value) if value.ndim == 4 else value for name, value in setup.weights.items()}
        return replace(setup, weights=turned)

    return change


def _pixels(turn: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Callable[[Setup], Setup]:
    return lambda setup: replace(setup, batches=[(turn(images), labels) for images, labels in setup.batches])


def _rules(kind: type, needed: str, rules: Rules) -> Callable[[Setup], Setup | None]:
    """Other rules, where the optimizer is of this kind and has what they are about."""

    def change(setup: Setup) -> Setup | None:
        spec = setup.workload.optimizer
        return replace(setup, rules=rules) if isinstance(spec, kind) and getattr(spec, needed) else None

    return change


def _by_count(setup: Setup) -> Setup | None:
    return replace(setup, rules=DIVIDED_BY_COUNT) if setup.workload.loss.class_weights else None


ALTERNATIVES: dict[str, Callable[[Setup], Setup | None]] = {
    "running variance from the biased variance (n instead of n - 1)": _norms(
        lambda norm: replace(norm, running_variance="biased")
    ),
    "BatchNorm momentum the other way round (momentum keeps, not moves)": _norms(
        lambda norm: replace(norm, momentum=1 - norm.momentum)
    ),
    "BatchNorm momentum 0.01": _norms(lambda norm: replace(norm, momentum=0.01)),
    "BatchNorm epsilon 1e-3": _norms(lambda norm: replace(norm, epsilon=1e-3)),
    "BatchNorm epsilon 1e-6": _norms(lambda norm: replace(norm, epsilon=1e-6)),
    "no weight decay": _optimizer(None, weight_decay=0.0),
    "weight decay on biases and BatchNorm too": _optimizer(None, decay_all=True),
    "weight decay apart from the gradient (decoupled), where SGD has it inside": _rules(SGD, "weight_decay", DECOUPLED),
    "weight decay inside the gradient (L2), where AdamW has it apart": _rules(AdamW, "weight_decay", COUPLED),
    "weight decay not scaled by the learning rate": _rules(AdamW, "weight_decay", UNSCALED),
    "no momentum": _optimizer(SGD, momentum=0.0),
    "learning rate inside the momentum buffer (v = momentum * v + rate * g)": _rules(SGD, "momentum", RATE_INSIDE_VELOCITY),
    "Nesterov the other way": _toggled_nesterov,
    "Adam epsilon 1e-7": _optimizer(AdamW, epsilon=1e-7),
    "learning rate without warm-up": _schedule(warmup_steps=0),
    "learning rate constant after warm-up": _schedule(total_steps=None),
    "learning rate constant": _schedule(warmup_steps=0, total_steps=None),
    "class weights left out of the loss": lambda setup: _of_workload(
        setup, loss=replace(setup.workload.loss, class_weights=None)
    ),
    "weighted loss divided by the number of images instead of the sum of their weights": _by_count,
    "input not normalised by mean and standard deviation": _network(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    "input normalised to -1 … 1": _network(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "colour channels in BGR order": _pixels(lambda images: images[..., ::-1]),
    "height and width exchanged in the images": _pixels(lambda images: images.transpose(0, 2, 1, 3)),
    "height and width exchanged in the kernels": _kernels(lambda kernel: kernel.transpose(0, 1, 3, 2)),
    "kernels flipped (convolution instead of cross-correlation)": _kernels(lambda kernel: kernel[:, :, ::-1, ::-1]),
}
