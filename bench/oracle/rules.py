"""The loss and the optimizers, formula by formula as ``bench.spec.training`` writes them down.

``Rules`` holds them, so that ``bench.verify.variants`` can put another framework's formula in the place of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.oracle.arithmetic import Array
from bench.spec import SGD, AdamW, CrossEntropy, Optimizer

Update = Callable[[str, Array, Array, float], Array]
"""A tensor's name, value and gradient, and the learning rate; the new value. Remembers what the optimizer remembers."""


Memory = Mapping[str, Array]
"""What SGD remembers of each tensor: the velocity."""


def optimizer_update(spec: Optimizer, decayed: frozenset[str], memory: Memory | None = None) -> Update:
    """An optimizer; ``decayed`` names the tensors that weight decay touches. It is fresh, or SGD that remembers ``memory``."""
    return _sgd(spec, decayed, memory or {}) if isinstance(spec, SGD) else _adamw(spec, decayed)


def _sgd(spec: SGD, decayed: frozenset[str], memory: Memory) -> Update:
    velocities: dict[str, Array] = dict(memory)

    def update(name: str, weight: Array, gradient: Array, rate: float) -> Array:
        if name in decayed:
            gradient = gradient + spec.weight_decay * weight
        velocity = velocities[name] = spec.momentum * velocities.get(name, np.zeros_like(weight)) + gradient
        direction = gradient + spec.momentum * velocity if spec.nesterov else velocity
        return np.asarray(weight - rate * direction)

    return update


def _adamw(spec: AdamW, decayed: frozenset[str]) -> Update:
    moments: dict[str, tuple[int, Array, Array]] = {}  # t, first, second

    def update(name: str, weight: Array, gradient: Array, rate: float) -> Array:
        if name in decayed:
            weight = weight - rate * spec.weight_decay * weight
        steps, first, second = moments.get(name, (0, np.zeros_like(weight), np.zeros_like(weight)))
        first = spec.beta1 * first + (1 - spec.beta1) * gradient
        second = spec.beta2 * second + (1 - spec.beta2) * gradient**2
        moments[name] = steps + 1, first, second
        unbiased = first / (1 - spec.beta1 ** (steps + 1)), second / (1 - spec.beta2 ** (steps + 1))
        return np.asarray(weight - rate * unbiased[0] / (np.sqrt(unbiased[1]) + spec.epsilon))

    return update


def softmax(logits: Array) -> Array:
    """Probabilities (batch, classes)."""
    e = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def cross_entropy(spec: CrossEntropy, logits: Array, labels: NDArray[np.int32]) -> tuple[float, Array]:
    """The weighted mean loss over all ``labels`` (k * batch,), and its gradient with respect to the logits (batch, classes),
    summed over the k copies of each image."""
    rows = np.arange(len(labels)) % len(logits)
    weight = np.ones(len(labels)) if spec.class_weights is None else np.asarray(spec.class_weights)[labels]
    weight = weight / weight.sum()
    shifted = logits - logits.max(1, keepdims=True)
    log_likelihood = shifted[rows, labels] - np.log(np.exp(shifted).sum(1))[rows]
    gradient = softmax(logits)[rows]
    gradient[np.arange(len(labels)), labels] -= 1.0
    gradient *= weight[:, None]
    return float(-(weight * log_likelihood).sum()), gradient.reshape(-1, *logits.shape).sum(0)


@dataclass(frozen=True)
class Rules:
    """How to update weights, and what the loss is."""

    update: Callable[[Optimizer, frozenset[str]], Update] = optimizer_update
    loss: Callable[[CrossEntropy, Array, NDArray[np.int32]], tuple[float, Array]] = cross_entropy


SPECIFIED = Rules()
