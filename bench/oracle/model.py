"""Whole networks through the oracle: predictions, losses, and training step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.oracle.arithmetic import Arithmetic, Array, exact
from bench.oracle.layers import Backward, Pass, forward
from bench.spec import (
    SGD,
    AdamW,
    BatchNorm,
    CrossEntropy,
    Layer,
    Network,
    Optimizer,
    Residual,
    Sequential,
    Weights,
    decays,
    join,
    map_network,
    trainable,
)


def predict(network: Network, weights: Weights, images: NDArray[np.uint8], arithmetic: Arithmetic = exact) -> Array:
    """Class probabilities (batch, classes), float64, of uint8 NHWC ``images``, with the running statistics."""
    state = Pass(_float64(weights), False, arithmetic)
    logits, _ = _network(network, images, state)
    return _softmax(logits)


def training_loss(
    network: Network,
    loss: CrossEntropy,
    weights: Weights,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    arithmetic: Arithmetic = exact,
) -> float:
    """The loss a training step reports before it updates ``weights``: BatchNorm uses the batch's statistics."""
    state = Pass(_float64(weights), True, arithmetic)
    logits, _ = _network(network, images, state)
    return _loss(loss, logits, labels)[0]


def batch_statistics(network: Network, weights: Weights, images: NDArray[np.uint8]) -> Weights:
    """``weights`` with running statistics replaced by those of ``images``, float32: freshly initialised networks need
    them to predict anything sensible."""
    whole = map_network(network, _forgetful)
    state = Pass(_float64(weights), True, exact)
    _network(whole, images, state)
    return {name: np.asarray(state.statistics.get(name, value), np.float32) for name, value in weights.items()}


class Oracle:
    """Training as the spec defines it. ``weights`` holds every tensor, float64; ``step`` moves them."""

    def __init__(
        self,
        network: Network,
        loss: CrossEntropy,
        optimizer: Optimizer,
        weights: Weights,
        arithmetic: Arithmetic = exact,
    ) -> None:
        self.network, self.loss, self.optimizer, self.arithmetic = network, loss, optimizer, arithmetic
        self.weights: dict[str, Array] = _float64(weights)
        self.steps = 0
        self._decays = frozenset(filter(trainable, weights)) if optimizer.decay_all else decays(network)
        self._first = {name: np.zeros_like(w) for name, w in self.weights.items() if trainable(name)}
        self._second = {name: np.zeros_like(w) for name, w in self._first.items()}

    def step(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> float:
        """One optimizer step on a batch (batch, height, width, 3), (batch,); the loss before it."""
        state = Pass(self.weights, True, self.arithmetic)
        logits, backward = _network(self.network, images, state)
        loss, dlogits = _loss(self.loss, logits, labels)
        backward(dlogits)
        rate = self.optimizer.schedule.at(self.steps)
        self.steps += 1
        update = self._sgd if isinstance(self.optimizer, SGD) else self._adamw
        moved = {name: update(name, gradient, rate) for name, gradient in state.gradients.items()}
        self.weights = self.weights | state.statistics | moved
        return loss

    def _sgd(self, name: str, gradient: Array, rate: float) -> Array:
        spec = self.optimizer
        assert isinstance(spec, SGD)
        weight = self.weights[name]
        if name in self._decays:
            gradient = gradient + spec.weight_decay * weight
        velocity = self._first[name] = spec.momentum * self._first[name] + gradient
        direction = gradient + spec.momentum * velocity if spec.nesterov else velocity
        return np.asarray(weight - rate * direction)

    def _adamw(self, name: str, gradient: Array, rate: float) -> Array:
        spec = self.optimizer
        assert isinstance(spec, AdamW)
        weight = self.weights[name]
        if name in self._decays:
            weight = weight - rate * spec.weight_decay * weight
        first = self._first[name] = spec.beta1 * self._first[name] + (1 - spec.beta1) * gradient
        second = self._second[name] = spec.beta2 * self._second[name] + (1 - spec.beta2) * gradient**2
        unbiased = first / (1 - spec.beta1**self.steps), second / (1 - spec.beta2**self.steps)
        return np.asarray(weight - rate * unbiased[0] / (np.sqrt(unbiased[1]) + spec.epsilon))


def _network(network: Network, images: NDArray[np.uint8], state: Pass) -> tuple[Array, Backward]:
    pixels = images.astype(np.float64) / 255.0
    normal = (pixels - np.asarray(network.mean)) / np.asarray(network.std)
    return _run(network.body, "", normal.transpose(0, 3, 1, 2), state)


def _run(layer: Layer, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    if isinstance(layer, Sequential):
        backs: list[Backward] = []
        for name, part in layer.layers:
            x, back = _run(part, join(path, name), x, state)
            backs.append(back)
        return x, _chain(backs)
    if isinstance(layer, Residual):
        body, body_back = _run(layer.body, join(path, "body"), x, state)
        if layer.shortcut is None:
            return body + x, lambda dy: body_back(dy) + dy
        short, short_back = _run(layer.shortcut, join(path, "shortcut"), x, state)
        return body + short, lambda dy: body_back(dy) + short_back(dy)
    return forward(layer, path, x, state)


def _chain(backs: list[Backward]) -> Backward:
    def backward(dy: Array) -> Array:
        for back in reversed(backs):
            dy = back(dy)
        return dy

    return backward


def _softmax(logits: Array) -> Array:
    e = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def _loss(spec: CrossEntropy, logits: Array, labels: NDArray[np.int32]) -> tuple[float, Array]:
    """The weighted mean loss and its gradient with respect to the logits (batch, classes)."""
    probabilities = _softmax(logits)
    rows = np.arange(len(labels))
    weight = np.ones(len(labels)) if spec.class_weights is None else np.asarray(spec.class_weights)[labels]
    weight = weight / weight.sum()
    shifted = logits - logits.max(1, keepdims=True)
    log_likelihood = shifted[rows, labels] - np.log(np.exp(shifted).sum(1))
    gradient = probabilities.copy()
    gradient[rows, labels] -= 1.0
    return float(-(weight * log_likelihood).sum()), gradient * weight[:, None]


def _float64(weights: Weights) -> dict[str, Array]:
    return {name: np.asarray(value, np.float64) for name, value in weights.items()}


def _forgetful(layer: Layer) -> Layer:
    return replace(layer, momentum=1.0) if isinstance(layer, BatchNorm) else layer
