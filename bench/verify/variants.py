"""Optimizers and losses as other frameworks define them: the oracle's rules with one formula changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.oracle.arithmetic import Array
from bench.oracle.rules import Rules, Update, cross_entropy, optimizer_update
from bench.spec import SGD, CrossEntropy, Optimizer

Decay = Callable[[Optimizer, float], float]


def _decay_apart(share: Decay) -> Rules:
    """The decay taken out of the optimizer, and ``share`` of the weight subtracted instead."""

    def make(spec: Optimizer, decayed: frozenset[str]) -> Update:
        plain = optimizer_update(replace(spec, weight_decay=0.0), decayed)

        def update(name: str, weight: Array, gradient: Array, rate: float) -> Array:
            moved = plain(name, weight, gradient, rate)
            return moved - share(spec, rate) * weight if name in decayed else moved

        return update

    return Rules(update=make)


DECOUPLED = _decay_apart(lambda spec, rate: rate * spec.weight_decay)
"""SGD with the decay apart from the gradient (SGDW; Loshchilov and Hutter, arXiv:1711.05101, algorithm 1)."""

UNSCALED = _decay_apart(lambda spec, rate: spec.weight_decay)
"""Decay apart from the gradient and not multiplied by the learning rate, as that paper writes it."""


def _coupled(spec: Optimizer, decayed: frozenset[str]) -> Update:
    plain = optimizer_update(replace(spec, weight_decay=0.0), decayed)

    def update(name: str, weight: Array, gradient: Array, rate: float) -> Array:
        return plain(name, weight, gradient + spec.weight_decay * weight if name in decayed else gradient, rate)

    return update


COUPLED = Rules(update=_coupled)
"""Adam with L2 in the gradient, what ``torch.optim.Adam(weight_decay=…)`` does."""


def _rate_inside(spec: Optimizer, decayed: frozenset[str]) -> Update:
    assert isinstance(spec, SGD)
    velocities: dict[str, Array] = {}

    def update(name: str, weight: Array, gradient: Array, rate: float) -> Array:
        if name in decayed:
            gradient = gradient + spec.weight_decay * weight
        velocity = velocities[name] = spec.momentum * velocities.get(name, np.zeros_like(weight)) + rate * gradient
        return weight - (rate * gradient + spec.momentum * velocity if spec.nesterov else velocity)

    return update


RATE_INSIDE_VELOCITY = Rules(update=_rate_inside)
"""``v = momentum * v + rate * g; p -= v``, as Keras has it: another curve as soon as the rate changes."""


def _by_count(spec: CrossEntropy, logits: Array, labels: NDArray[np.int32]) -> tuple[float, Array]:
    loss, gradient = cross_entropy(spec, logits, labels)
    mean = 1.0 if spec.class_weights is None else float(np.asarray(spec.class_weights)[labels].mean())
    return loss * mean, gradient * mean


DIVIDED_BY_COUNT = Rules(loss=_by_count)
"""Weighted losses divided by the number of images, as Keras's ``class_weight`` does, not by the sum of their weights."""
