"""How far an honest implementation of a precision may stray from the float64 truth.

In float64 any two implementations agree to about 1e-15, so 1e-10 leaves room for nothing but rounding. In lower precisions
rounding is amplified, most of all where a ReLU flips, and one implementation differs from itself under another layout by as
much as from a stranger; so an envelope is the largest distance from the truth among several draws of the oracle's rounding
model (``bench.oracle.arithmetic``), times ``SAFETY``. It covers losses, running maximum over steps; predictions; and the
fingerprint of every tensor, so that a device without float64 answers for its weights and running statistics too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench import oracle
from bench.contract import Workload
from bench.oracle import Oracle
from bench.spec import Weights, initial_weights
from bench.verify.batches import Batch

SAFETY = 8.0
FLOAT64_TOLERANCE = 1e-10
FLOOR = {"fp32": 2e-6, "tf32": 1e-4, "bf16": 1e-3}
"""Envelopes never shrink below this: a few units in the last place of a loss or probability near 1, in float32 for fp32,
and of one rounded operand for the others."""

STILL = 1e-9
"""A trained tensor whose root mean square stays below this has no gradient but rounding, as a bias in front of BatchNorm; in
working precisions it is not judged."""


Fingerprint = Mapping[str, tuple[float, float]]
"""Two numbers per tensor: its root mean square, and its mean product with a fixed wave, which sees order and sign."""


class Envelope(msgspec.Struct, frozen=True):
    """Allowed distance from the float64 truth in one precision."""

    losses: list[float]  # per step, absolute
    predictions: float  # absolute, of a probability
    # Of both numbers of a tensor's fingerprint, absolute: after the first step, where nothing has been amplified yet and a
    # difference of convention stands out most, and after any later one.
    first_tensors: dict[str, float] = {}
    later_tensors: dict[str, float] = {}


def fingerprint(weights: Weights) -> dict[str, tuple[float, float]]:
    """What a golden file keeps of every tensor."""
    result = {}
    for name, value in weights.items():
        flat = np.asarray(value, np.float64).ravel()
        wave = np.cos(np.arange(1, flat.size + 1) * 0.7548776662466927)  # 1/plastic number: no short period
        result[name] = (float(np.sqrt(np.mean(flat**2))), float(np.mean(flat * wave)))
    return result


def envelope_of_losses(
    workload: Workload, batches: Sequence[Batch], losses: Sequence[float], precision: str, draws: int
) -> list[float]:
    """Allowed distance of each step's loss from ``losses`` in a working precision."""
    return envelope_of_training(workload, batches, losses, ({}, {}), precision, draws)[0]


def envelope_of_training(
    workload: Workload,
    batches: Sequence[Batch],
    losses: Sequence[float],
    prints: tuple[Fingerprint, Fingerprint],
    precision: str,
    draws: int,
) -> tuple[list[float], dict[str, float], dict[str, float]]:
    """How far losses may stray, and the tensors' fingerprints from ``prints`` of the first and of the last step."""
    weights = initial_weights(workload.network, workload.seed)
    spread = np.zeros(len(losses))
    strayed: list[list[dict[str, float]]] = [[], []]
    for draw in range(draws):
        model = oracle.rounded(precision, draw)
        run = Oracle(workload.network, workload.loss, workload.optimizer, weights, model)
        for step, batch in enumerate(batches):
            spread[step] = max(spread[step], abs(run.step(*batch) - losses[step]))
            for which, at in enumerate((0, len(batches) - 1)):
                if step == at and prints[which]:
                    strayed[which].append(apart(fingerprint(run.weights), prints[which]))
    allowed = np.maximum.accumulate(np.maximum(SAFETY * spread, FLOOR[precision]))
    first, last = (_allowances(*pair, FLOOR[precision]) for pair in zip(strayed, prints, strict=True))
    return [float(f"{value:.3g}") for value in allowed], first, last


def apart(found: Fingerprint, expected: Fingerprint) -> dict[str, float]:
    """Each tensor's distance: of its two numbers, the one that differs more. Both must have the same tensors."""
    return {name: max(abs(a - b) for a, b in zip(found[name], pair, strict=True)) for name, pair in expected.items()}


def _allowances(strayed: Sequence[dict[str, float]], truth: Fingerprint, floor: float) -> dict[str, float]:
    """Per tensor: what it strayed, or what the median tensor strayed relative to its size, whichever is more."""
    sizes = {name: size for name, (size, _) in truth.items() if size > STILL}
    relative = {name: max(draw[name] for draw in strayed) / size for name, size in sizes.items()}
    typical = float(np.median(list(relative.values()))) if relative else 0.0
    return {name: float(f"{size * max(SAFETY * max(relative[name], typical), floor):.3g}") for name, size in sizes.items()}


def envelope_of_predictions(
    workload: Workload, batch: Batch, weights: Weights, truth: NDArray[np.float64], precision: str, draws: int
) -> float:
    """How far a probability may stray from ``truth`` (batch, classes) on ``batch``."""
    spread = 0.0
    for draw in range(draws):
        found = oracle.predict(workload.network, weights, batch[0], oracle.rounded(precision, 1000 + draw))
        spread = max(spread, float(np.abs(found - truth).max()))
    return float(f"{max(SAFETY * spread, FLOOR[precision]):.3g}")
