"""How far an honest implementation of a precision may stray from the float64 truth.

In float64 any two implementations agree to about 1e-15, so 1e-10 leaves room for nothing but rounding. In lower precisions
rounding is amplified, most of all where a ReLU flips, and one implementation differs from itself under another layout by as
much as from a stranger; so an envelope is the largest distance from the truth among several draws of the oracle's rounding
model (``bench.oracle.arithmetic``), times ``SAFETY``. It covers losses, running maximum over steps; predictions; and what
the first step did to every tensor, so that a device without float64 answers for its weights and running statistics too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.contract import Workload
from bench.oracle.arithmetic import rounded
from bench.oracle.model import Oracle, predict
from bench.spec import Weights, trainable
from bench.spec.weights import initial_weights
from bench.verify.batches import Batch
from bench.verify.parallel import in_parallel

SAFETY = 8.0
FLOAT64_TOLERANCE = 1e-10
FLOOR = {"fp32": 2e-6, "tf32": 1e-4, "bf16": 1e-3}
"""Envelopes never shrink below this: a few units in the last place of a loss or probability near 1, in float32 for fp32,
and of one rounded operand for the others."""

LOSS_FLOOR = FLOOR | {"fp32": 1e-5}
"""The same for a single loss in the middle of a training: an honest fp32 step was seen 3.2e-6 off, where three draws of the
rounding model, times ``SAFETY``, came to 2.7e-6. The floor of tf32 is ten times as high."""

STATISTICS_FLOOR = {"fp32": 1e-5, "tf32": 2e-4, "bf16": 2e-3}
"""The same for running statistics: sums in fp32 carry an error of their own, 1e-7 of the deviation in shallow networks."""

UPDATES_FLOOR, MOST_STRAYED = 0.02, 0.7
"""An update's share (see ``strayed``) is off by 1 where it is left out: an envelope beyond ``MOST_STRAYED`` could not tell, so it
ends there; and where honest draws come to half of that, as bf16 does in very deep networks, updates are not judged."""

RESOLVED = 16
"""A tensor's step is judged where it is at least so many units in the last place of its weights, in fp32."""

NEGLIGIBLE = 1e-6
"""Of the largest step: below it a step is rounding only, as that of a bias in front of BatchNorm, whose gradient is 0."""

Fingerprint = Mapping[str, tuple[float, float]]
"""Two numbers per tensor: its root mean square, and its mean product with a fixed wave, which sees order and sign."""


class Envelope(msgspec.Struct, frozen=True):
    """Allowed distance from the float64 truth in one precision."""

    losses: list[float]  # per step, absolute
    predictions: float  # absolute, of a probability
    statistics: float = 0.0  # after the first step, relative to the statistic's own size; 0: not judged
    updates: float = 0.0  # of the first step, relative; 0: not judged


def fingerprint(weights: Weights) -> dict[str, tuple[float, float]]:
    """What a golden file keeps of every tensor."""
    result = {}
    for name, value in weights.items():
        flat = np.asarray(value, np.float64).ravel()
        wave = np.cos(np.arange(1, flat.size + 1) * 0.7548776662466927)  # 1/plastic number: no short period
        result[name] = (float(np.sqrt(np.mean(flat**2))), float(np.mean(flat * wave)))
    return result


def envelope_of_training(
    workload: Workload,
    batches: Sequence[Batch],
    losses: Sequence[float],
    first: Weights | None,
    precision: str,
    draws: int,
    copies: int = 1,
) -> Envelope:
    """How far ``losses``, and the weights after the ``first`` step where they are given, may stray in a working precision
    (predictions: 0) on a device whose batches repeat these so many times."""
    weights = initial_weights(workload.network, workload.seed)
    spread = np.zeros(len(losses))
    statistics, updates = [0.0], [0.0]

    def trained(draw: int) -> tuple[list[float], Weights]:
        """The losses, and the weights after the first step."""
        arithmetic = rounded(precision, draw)
        run = Oracle(workload.network, workload.loss, workload.optimizer, weights, arithmetic, copies=copies)
        found = [run.step(*batches[0])]
        after = run.weights
        return found + [run.step(*batch) for batch in batches[1:]], after

    passes = [partial(trained, draw) for draw in range(draws)]
    for found, after in in_parallel(passes, workload.network, len(batches[0][0])):
        spread = np.maximum(spread, np.abs(np.asarray(found) - losses))
        if first is not None:
            statistics += strayed_statistics(first, after).values()
            updates += strayed_updates(weights, first, after).values()
    allowed = np.maximum.accumulate(np.maximum(SAFETY * spread, FLOOR[precision]))
    widest = SAFETY * max(updates)
    judged = max(updates) <= MOST_STRAYED / 2
    return Envelope(
        [_rounded(value) for value in allowed],
        0.0,
        _rounded(max(SAFETY * max(statistics), STATISTICS_FLOOR[precision])),
        _rounded(min(max(widest, UPDATES_FLOOR), MOST_STRAYED)) if judged else 0.0,
    )


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def strayed_statistics(expected: Weights, found: Weights) -> dict[str, float]:
    """The farthest channel of each running mean, in deviations, and of each running variance, relative."""
    result = {}
    for name in expected:
        if trainable(name):
            continue
        variance = np.asarray(expected[name.replace("running_mean", "running_var")], np.float64)
        scale = np.sqrt(variance) if name.endswith("running_mean") else variance
        distance = np.abs(np.asarray(found[name], np.float64) - expected[name])
        result[name] = float(np.max(distance / np.maximum(scale, 1e-12)))
    return result


def strayed_updates(before: Weights, expected: Weights, found: Weights) -> dict[str, float]:
    """How far the share of the expected update in the found one is from 1: 0 where the update was made, 1 where it was left
    out, 0.5 where it was half as large. Tensors whose update drowns in rounding are left out."""
    moves = {name: np.asarray(expected[name], np.float64) - before[name] for name in expected if trainable(name)}
    result = {}
    for name in resolved(moves, before):
        move, made = moves[name], np.asarray(found[name], np.float64) - before[name]
        result[name] = abs(float(np.sum(made * move) / np.sum(move * move)) - 1)
    return result


def resolved(moves: Mapping[str, NDArray[np.float64]], weights: Weights) -> list[str]:
    """Names of the tensors of ``weights`` whose moves are more than rounding."""
    size = {name: _size(move) for name, move in moves.items()}
    largest = max(size.values())
    unit = RESOLVED * float(np.finfo(np.float32).eps)
    return [name for name in moves if size[name] > max(NEGLIGIBLE * largest, unit * _size(weights[name]))]


def _size(value: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(value, dtype=np.float64))))


def envelope_of_predictions(
    workload: Workload, batch: Batch, weights: Weights, truth: NDArray[np.float64], precision: str, draws: int
) -> float:
    """How far a probability may stray from ``truth`` (batch, classes) on ``batch``."""
    spread = 0.0
    for draw in range(draws):
        found = predict(workload.network, weights, batch[0], rounded(precision, 1000 + draw))
        spread = max(spread, float(np.abs(found - truth).max()))
    return _rounded(max(SAFETY * spread, FLOOR[precision]))
