"""Whether a trainer's updates follow from the gradient, told from the weights around two steps without its memory.

Losses prove the forward pass only: a trainer that skips the backward pass and nudges its weights gives right losses too. Nor
can the oracle repeat a step in the middle of a training, for it cannot see momentum buffers. But what a step *adds* to them
needs no memory. With u = (weights before - weights after) / rate,

- SGD's velocity is v' = momentum * v + g'. Plain, u = v, so ``u' - momentum * u = g'``; with Nesterov, u = g + momentum * v,
  so ``u' - momentum * u = (1 + momentum) * g' - momentum * g``. Both are exact.
- AdamW's u, once the decay is taken out, is m / (1 - beta1**t) / root, and m' = beta1 * m + (1 - beta1) * g'. The root of the
  second moment hardly moves in one step, so ``(1 - beta1**t') * u' - beta1 * (1 - beta1**t) * u`` has the sign of g'.

So each tensor's elements are compared by sign, the larger gradients counting more, which suits both and every precision.

In a deep network bf16 drowns most of an honest gradient: at the first steps of a ResNet-50 signs agree with the exact ones by 0.14
in the median tensor. The oracle's rounding model foretells how much is left of each tensor (0.13), so where too few tensors
agree, they are held against that instead. Of those that rounding leaves nothing of nothing is asked, and the check says how many they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from bench.contract import Workload
from bench.oracle.arithmetic import Arithmetic, exact, rounded
from bench.oracle.model import decayed_tensors, gradients
from bench.record.schema import Check
from bench.spec import SGD, trainable
from bench.verify.compare import not_judged
from bench.verify.envelope import resolved
from bench.verify.parallel import in_parallel
from bench.verify.walk import Walk

Array = NDArray[np.float64]

AGREEMENT = 0.5
"""Of signs, weighted: 1 where all agree, 0 for an update that knows nothing of the gradient. Honest bf16 gives 0.9 and more in
networks of ordinary depth. Where rounding leaves less, this part of what it leaves."""

SHARE = 0.75
"""Of a network's judged tensors, how many must agree: rounding may drown a small gradient, but in networks of ordinary depth never
most of them. Where they are held against draws, honest bf16 gave 0.98 and more on a ResNet-50 and 0.88 and more in stacks of 30 to 80
layers, random moves in every tensor of these 0.33 at most. What moves without its gradient in less than a quarter goes unseen."""

DROWNING = ("bf16", "tf32")
"""The precisions whose rounding may drown most gradients. fp32's leaves 0.99 of them in a ResNet-50."""

DRAWS = 3
"""Of the rounding model: how much it leaves of a gradient differs little between them."""

SHARP_SHARE = 0.9
"""The same in precisions that drown no gradients."""

VISIBLE = 4.0
"""What rounding leaves must be so many standard deviations of the agreement that random signs would give, or ``AGREEMENT`` in every
draw: of a few elements chance alone gives much."""


def check_updates(workload: Workload, walk: Walk, precision: str) -> Check:
    """The second step against what the gradients before and at it must have added to the first."""
    name = "updates follow the gradient"
    rates = [workload.optimizer.schedule.at(walk.first + step) for step in range(2)]
    if not all(np.isfinite(value).all() for weights in walk.weights[:3] for value in weights.values()):
        return Check(name=name, passed=False, detail="the weights around two steps hold NaN or infinity")
    if min(rates) <= 0:
        return not_judged(name, "the schedule's rate has come to 0")
    expected, found = _expected(workload, walk), _found(workload, walk, rates)
    if not all(np.isfinite(value).all() for value in expected.values()):
        return Check(name=name, passed=False, detail="with the weights around two steps the gradient is NaN or infinite")
    moves = {tensor: rates[1] * value for tensor, value in expected.items()}
    judged = resolved(moves, walk.weights[1])
    if not judged:
        return not_judged(name, "at this rate no step shows in the weights")
    agreements = {tensor: _agreement(expected[tensor], found[tensor]) for tensor in judged}
    share = SHARE if precision in DROWNING else SHARP_SHARE
    check = _enough(name, agreements, dict.fromkeys(judged, AGREEMENT), share)
    if check.passed or precision not in DROWNING:
        return check
    passes = [partial(_expected, workload, walk, rounded(precision, draw)) for draw in range(DRAWS)]
    left = [  # of each tensor's gradient, draw by draw
        {tensor: _agreement(expected[tensor], drawn[tensor]) for tensor in judged}
        for drawn in in_parallel(passes, workload.network, len(walk.singles[0][0]))
    ]
    return _against_draws(check, agreements, left, {tensor: _by_chance(expected[tensor]) for tensor in judged})


def _against_draws(
    check: Check, agreements: Mapping[str, float], left: Sequence[Mapping[str, float]], by_chance: Mapping[str, float]
) -> Check:
    """The failed ``check``, or what the tensors say of which rounding leaves something."""
    usual = {tensor: sum(draw[tensor] for draw in left) / len(left) for tensor in agreements}
    if sum(value >= AGREEMENT for value in usual.values()) >= SHARE * len(usual):
        return check  # rounding is no excuse
    visible = {
        tensor: agreement
        for tensor, agreement in agreements.items()
        if all(draw[tensor] >= AGREEMENT for draw in left) or usual[tensor] >= VISIBLE * by_chance[tensor]
    }
    if not visible:
        nothing = "rounding leaves nothing of the gradient in this precision: nothing to judge"
        return Check(name=check.name, passed=False, detail=nothing)
    judged = _enough(check.name, visible, {tensor: AGREEMENT * usual[tensor] for tensor in visible})
    drowned = f"rounding drowns the gradients of {len(agreements) - len(visible)} of {len(agreements)} tensors, which are not judged"
    return replace(judged, detail="; ".join(part for part in (judged.detail, drowned) if part))


def _enough(name: str, agreements: Mapping[str, float], wanted: Mapping[str, float], least: float = SHARE) -> Check:
    missed = [tensor for tensor, agreement in agreements.items() if not agreement >= wanted[tensor]]  # also catches NaN
    share = 1 - len(missed) / len(agreements)
    if share >= least:
        return Check(name=name, passed=True, found=share, allowed=least)
    detail = f"{len(missed)} of {len(agreements)} tensors move without regard to their gradient, first '{missed[0]}'"
    return Check(name=name, passed=False, found=share, allowed=least, detail=detail)


def _expected(workload: Workload, walk: Walk, arithmetic: Arithmetic = exact) -> dict[str, Array]:
    """What the second step adds to the optimizer's memory, up to a positive factor per element."""
    spec = workload.optimizer
    if arithmetic is exact:
        passes = [partial(walk.gradient, workload, single) for single in range(2)]
        before, at = in_parallel(passes, workload.network, len(walk.singles[0][0]))
    else:  # a draw's disturbances come one after the other
        before, at = (
            gradients(workload.network, workload.loss, weights, *batch, arithmetic)
            for weights, batch in zip(walk.weights, walk.singles, strict=False)
        )
    if not isinstance(spec, SGD):
        return at
    decayed = decayed_tensors(workload.network, spec)
    for gradient, weights in ((before, walk.weights[0]), (at, walk.weights[1])):
        for name in gradient:
            if name in decayed:
                gradient[name] = gradient[name] + spec.weight_decay * weights[name]
    if not spec.nesterov:
        return at
    return {name: (1 + spec.momentum) * value - spec.momentum * before[name] for name, value in at.items()}


def _found(workload: Workload, walk: Walk, rates: list[float]) -> dict[str, Array]:
    """Return the same as ``_expected``, told from the weights around the two steps."""
    spec = workload.optimizer
    decayed = decayed_tensors(workload.network, spec)
    result = {}
    for name in filter(trainable, walk.weights[0]):
        first, second, third = (np.asarray(weights[name], np.float64) for weights in walk.weights[:3])
        u, v = (first - second) / rates[0], (second - third) / rates[1]
        if isinstance(spec, SGD):
            result[name] = v - spec.momentum * u
            continue
        if name in decayed:
            u, v = u - spec.weight_decay * first, v - spec.weight_decay * second
        t = walk.first + 1
        result[name] = (1 - spec.beta1 ** (t + 1)) * v - spec.beta1 * (1 - spec.beta1**t) * u
    return result


def _agreement(expected: Array, found: Array) -> float:
    return float(np.sum(expected * np.sign(found)) / np.sum(np.abs(expected)))


def _by_chance(expected: Array) -> float:
    """The standard deviation of ``_agreement`` with random signs."""
    return float(np.sqrt(np.sum(np.square(expected))) / np.sum(np.abs(expected)))
