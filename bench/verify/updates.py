"""Whether a trainer's updates follow from the gradient, told from the weights around two steps without its memory.

Losses prove the forward pass only: a trainer that skips the backward pass and nudges its weights gives right losses too. Nor
can the oracle repeat a step in the middle of a training, for it cannot see momentum buffers. But what a step *adds* to them
needs no memory. With u = (weights before - weights after) / rate,

- SGD's velocity is v' = momentum * v + g'. Plain, u = v, so ``u' - momentum * u = g'``; with Nesterov, u = g + momentum * v,
  so ``u' - momentum * u = (1 + momentum) * g' - momentum * g``. Both are exact.
- AdamW's u, once the decay is taken out, is m / (1 - beta1**t) / root, and m' = beta1 * m + (1 - beta1) * g'. The root of the
  second moment hardly moves in one step, so ``(1 - beta1**t') * u' - beta1 * (1 - beta1**t) * u`` has the sign of g'.

So each tensor's elements are compared by sign, the larger gradients counting more, which suits both and every precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import oracle
from bench.contract import Workload
from bench.record.schema import Check
from bench.spec import SGD, Weights, decays, trainable
from bench.verify.batches import Batch
from bench.verify.envelope import resolved

Array = NDArray[np.float64]

AGREEMENT = 0.5
"""Of signs, weighted: 1 where all agree, 0 for an update that knows nothing of the gradient. Honest bf16 gives 0.9 and more."""

SHARE = 0.75
"""Of a network's judged tensors, how many must agree: rounding may drown a small gradient, but never most of them."""


@dataclass(frozen=True)
class Walk:
    """Two steps one after the other, each on one batch, and the weights around them."""

    weights: tuple[Weights, Weights, Weights]
    batches: tuple[Batch, Batch]  # labels may be k times as many as images, as in ``oracle.training_loss``
    first: int  # optimizer steps made before them


def check_updates(workload: Workload, walk: Walk) -> Check:
    """The second step against what the gradients before and at it must have added to the first."""
    name = "updates follow the gradient"
    rates = [workload.optimizer.schedule.at(walk.first + step) for step in range(2)]
    if min(rates) <= 0:
        return Check(name=name, passed=True, detail="not judged: the schedule's rate has come to 0")
    expected, found = _expected(workload, walk), _found(workload, walk, rates)
    moves = {tensor: rates[1] * value for tensor, value in expected.items()}
    agreements = {tensor: _agreement(expected[tensor], found[tensor]) for tensor in resolved(moves, walk.weights[1])}
    if not agreements:
        return Check(name=name, passed=True, detail="not judged: at this rate no step shows in the weights")
    missed = [tensor for tensor, agreement in agreements.items() if not agreement >= AGREEMENT]
    share = 1 - len(missed) / len(agreements)
    detail = f"{len(missed)} of {len(agreements)} tensors move without regard to their gradient, first '{missed[:1]}'"
    return Check(name=name, passed=share >= SHARE, found=share, allowed=SHARE, detail="" if share >= SHARE else detail)


def _expected(workload: Workload, walk: Walk) -> dict[str, Array]:
    """What the second step adds to the optimizer's memory, up to a positive factor per element."""
    spec = workload.optimizer
    before, at = (
        oracle.gradients(workload.network, workload.loss, weights, *batch)
        for weights, batch in zip(walk.weights, walk.batches, strict=False)
    )
    if not isinstance(spec, SGD):
        return at
    decayed = decays(workload.network)
    for gradient, weights in ((before, walk.weights[0]), (at, walk.weights[1])):
        for name in gradient:
            if spec.decay_all or name in decayed:
                gradient[name] = gradient[name] + spec.weight_decay * weights[name]
    if not spec.nesterov:
        return at
    return {name: (1 + spec.momentum) * value - spec.momentum * before[name] for name, value in at.items()}


def _found(workload: Workload, walk: Walk, rates: list[float]) -> dict[str, Array]:
    """The same from the weights."""
    spec = workload.optimizer
    decayed = decays(workload.network)
    result = {}
    for name in filter(trainable, walk.weights[0]):
        first, second, third = (np.asarray(weights[name], np.float64) for weights in walk.weights)
        u, v = (first - second) / rates[0], (second - third) / rates[1]
        if isinstance(spec, SGD):
            result[name] = v - spec.momentum * u
            continue
        if spec.decay_all or name in decayed:
            u, v = u - spec.weight_decay * first, v - spec.weight_decay * second
        t = walk.first + 1
        result[name] = (1 - spec.beta1 ** (t + 1)) * v - spec.beta1 * (1 - spec.beta1**t) * u
    return result


def _agreement(expected: Array, found: Array) -> float:
    return float(np.sum(expected * np.sign(found)) / np.sum(np.abs(expected)))
