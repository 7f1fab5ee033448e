"""Which convention a diverging backend follows instead: the oracle replays its training under each known alternative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.contract import Workload
from bench.oracle import Oracle
from bench.spec import (
    SGD,
    AdamW,
    BatchNorm,
    Layer,
    Weights,
    initial_weights,
    map_network,
)
from bench.verify.batches import Batch

CLOSE = 1e-7
"""Relative agreement that names a convention: far below any two conventions' difference, far above float64 rounding."""


@dataclass(frozen=True)
class Setup:
    """A training as the oracle needs it; an alternative is a function from one to another."""

    workload: Workload
    weights: Weights
    batches: Sequence[Batch]


def diagnose(
    workload: Workload,
    batches: Sequence[Batch],
    losses: Sequence[float],
    fingerprints: Sequence[dict[str, tuple[float, float]]],
) -> str:
    """The alternative convention whose losses and tensors match what was found, or an empty string."""
    from bench.verify.golden import fingerprint

    original = Setup(workload, initial_weights(workload.network, workload.seed), batches)
    steps = min(3, len(losses))
    for name, change in ALTERNATIVES.items():
        changed = change(original)
        if changed is None:
            continue
        spec = changed.workload
        oracle = Oracle(spec.network, spec.loss, spec.optimizer, changed.weights)
        found = [oracle.step(*batch) for batch in changed.batches[:steps]]
        if not np.allclose(found, losses[:steps], rtol=CLOSE, atol=0):
            continue
        expected = fingerprint(oracle.weights)
        actual = fingerprints[steps - 1]
        if expected.keys() == actual.keys() and all(
            np.allclose(actual[tensor], pair, rtol=CLOSE, atol=CLOSE) for tensor, pair in expected.items()
        ):
            return name
    return ""


def _layers(kind: type, **fields: object) -> Callable[[Setup], Setup]:
    def change(layer: Layer) -> Layer:
        return replace(layer, **fields) if isinstance(layer, kind) else layer  # type: ignore[arg-type]

    return lambda setup: replace(
        setup, workload=replace(setup.workload, network=map_network(setup.workload.network, change))
    )


def _inverted_momentum(setup: Setup) -> Setup:
    def change(layer: Layer) -> Layer:
        return replace(layer, momentum=1 - layer.momentum) if isinstance(layer, BatchNorm) else layer

    return replace(setup, workload=replace(setup.workload, network=map_network(setup.workload.network, change)))


def _optimizer(kind: type | None, **fields: object) -> Callable[[Setup], Setup | None]:
    def change(setup: Setup) -> Setup | None:
        old = setup.workload.optimizer
        if kind is not None and not isinstance(old, kind):
            return None
        return replace(setup, workload=replace(setup.workload, optimizer=replace(old, **fields)))  # type: ignore[arg-type]

    return change


def _toggled_nesterov(setup: Setup) -> Setup | None:
    old = setup.workload.optimizer
    return _optimizer(SGD, nesterov=not old.nesterov)(setup) if isinstance(old, SGD) else None


def _schedule(**fields: object) -> Callable[[Setup], Setup | None]:
    def change(setup: Setup) -> Setup | None:
        schedule = replace(setup.workload.optimizer.schedule, **fields)  # type: ignore[arg-type]
        return _optimizer(None, schedule=schedule)(setup)

    return change


def _network(**fields: object) -> Callable[[Setup], Setup]:
    return lambda setup: replace(
        setup,
        workload=replace(setup.workload, network=replace(setup.workload.network, **fields)),  # type: ignore[arg-type]
    )


def _kernels(turn: Callable[[np.ndarray], np.ndarray]) -> Callable[[Setup], Setup]:
    def change(setup: Setup) -> Setup:
        turned = {name: turn(value) if value.ndim == 4 else value for name, value in setup.weights.items()}
        return replace(setup, weights=turned)

    return change


def _pixels(turn: Callable[[np.ndarray], np.ndarray]) -> Callable[[Setup], Setup]:
    return lambda setup: replace(setup, batches=[(turn(images), labels) for images, labels in setup.batches])


ALTERNATIVES: dict[str, Callable[[Setup], Setup | None]] = {
    "running variance from the biased variance (n instead of n - 1)": _layers(BatchNorm, running_variance="biased"),
    "BatchNorm momentum the other way round (momentum keeps, not moves)": _inverted_momentum,
    "BatchNorm momentum 0.01": _layers(BatchNorm, momentum=0.01),
    "BatchNorm epsilon 1e-3": _layers(BatchNorm, epsilon=1e-3),
    "BatchNorm epsilon 1e-6": _layers(BatchNorm, epsilon=1e-6),
    "no weight decay": _optimizer(None, weight_decay=0.0),
    "weight decay on biases and BatchNorm too": _optimizer(None, decay_all=True),
    "no momentum": _optimizer(SGD, momentum=0.0),
    "Nesterov the other way": _toggled_nesterov,
    "Adam epsilon 1e-7": _optimizer(AdamW, epsilon=1e-7),
    "learning rate without warm-up": _schedule(warmup_steps=0),
    "class weights left out of the loss": lambda setup: replace(
        setup, workload=replace(setup.workload, loss=replace(setup.workload.loss, class_weights=None))
    ),
    "input not normalised by mean and standard deviation": _network(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    "input normalised to -1 … 1": _network(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "colour channels in BGR order": _pixels(lambda images: images[..., ::-1]),
    "height and width exchanged in the images": _pixels(lambda images: images.transpose(0, 2, 1, 3)),
    "height and width exchanged in the kernels": _kernels(lambda kernel: kernel.transpose(0, 1, 3, 2)),
    "kernels flipped (convolution instead of cross-correlation)": _kernels(lambda kernel: kernel[:, :, ::-1, ::-1]),
}
