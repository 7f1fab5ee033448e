"""Whole networks through the oracle: predictions, losses, and training step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.oracle.arithmetic import Arithmetic, Array, exact
from bench.oracle.layers import Backward, Pass, forward
from bench.oracle.rules import SPECIFIED, Memory, Rules, cross_entropy, optimizer_update, softmax
from bench.spec import (
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
    trainable,
)
from bench.spec.layers import map_network
from bench.spec.tensors import tensor_shapes


def predict(
    network: Network,
    weights: Weights,
    images: NDArray[np.uint8],
    arithmetic: Arithmetic = exact,
    finish: Callable[[Array], Array] = softmax,
) -> Array:
    """Class probabilities (batch, classes), float64, of uint8 NHWC ``images``, with the running statistics; or what else ``finish``
    makes of the logits (batch, classes)."""
    state = Pass(_as(weights, arithmetic), False, arithmetic)
    logits, _ = _network(network, images, state)
    return finish(logits)


def training_loss(
    network: Network,
    loss: CrossEntropy,
    weights: Weights,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    arithmetic: Arithmetic = exact,
) -> float:
    """The loss a training step reports before it updates ``weights``: BatchNorm uses the batch's statistics.

    ``labels`` (k * batch,) may be k times as many as ``images`` (batch, height, width, 3): then each image occurs k times,
    image i with the labels i, i + batch, i + 2 * batch …
    """
    state = Pass(_as(weights, arithmetic), True, arithmetic, len(labels) // len(images))
    logits, _ = _network(network, images, state)
    return cross_entropy(loss, logits, labels)[0]


def gradients(
    network: Network,
    loss: CrossEntropy,
    weights: Weights,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    arithmetic: Arithmetic = exact,
) -> dict[str, Array]:
    """The loss's gradient of every trained tensor, without weight decay; ``labels`` as in ``training_loss``."""
    state = Pass(_as(weights, arithmetic), True, arithmetic, len(labels) // len(images))
    logits, backward = _network(network, images, state)
    backward(cross_entropy(loss, logits, labels)[1])
    return state.gradients


def batch_statistics(network: Network, weights: Weights, images: NDArray[np.uint8]) -> Weights:
    """``weights`` with running statistics replaced by those of ``images``, float32: freshly initialised networks need
    them to predict anything sensible."""
    whole = map_network(network, _forgetful)
    state = Pass(_as(weights, exact), True, exact)
    _network(whole, images, state)
    return {name: np.asarray(state.statistics.get(name, value), np.float32) for name, value in weights.items()}


class Oracle:
    """Training as the spec defines it. ``weights`` holds every tensor, float64; ``step`` moves them. ``copies`` says how often the
    batches of the device that the rounding of ``arithmetic`` stands for repeat each image. With ``memory``, what its optimizer
    remembers of so many ``steps``, a training goes on."""

    def __init__(
        self,
        network: Network,
        loss: CrossEntropy,
        optimizer: Optimizer,
        weights: Weights,
        arithmetic: Arithmetic = exact,
        rules: Rules = SPECIFIED,
        copies: int = 1,
        memory: Memory | None = None,
        steps: int = 0,
    ) -> None:
        self.network, self.loss, self.optimizer, self.arithmetic = network, loss, optimizer, arithmetic
        self.weights: dict[str, Array] = _as(weights, exact)
        self.steps, self._copies = steps, copies
        decayed = decayed_tensors(network, optimizer)
        self._rules = rules
        self._update = rules.update(optimizer, decayed) if memory is None else optimizer_update(optimizer, decayed, memory)

    def step(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> float:
        """One optimizer step on a batch (batch, height, width, 3), (batch,); the loss before it. Labels may be k times as many, as in
        ``training_loss``."""
        loss, gradient, statistics = self.look(images, labels)
        self.move(gradient, statistics)
        return loss

    def look(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> tuple[float, dict[str, Array], dict[str, Array]]:
        """The loss, the gradient and the running statistics of a step that is not made."""
        state = Pass(_as(self.weights, self.arithmetic), True, self.arithmetic, self._copies * (len(labels) // len(images)))
        logits, backward = _network(self.network, images, state)
        loss, dlogits = self._rules.loss(self.loss, logits, labels)
        backward(dlogits)
        return loss, state.gradients, state.statistics

    def move(self, gradient: Mapping[str, Array], statistics: Mapping[str, Array]) -> None:
        """Make a step with this gradient, after which the running statistics are these."""
        rate = self.optimizer.schedule.at(self.steps)
        self.steps += 1
        moved = {name: self._update(name, self.weights[name], g, rate) for name, g in gradient.items()}
        self.weights = {**self.weights, **statistics, **moved}


def decayed_tensors(network: Network, optimizer: Optimizer) -> frozenset[str]:
    """Names of the tensors that weight decay touches."""
    return frozenset(filter(trainable, tensor_shapes(network))) if optimizer.decay_all else decays(network)


def _network(network: Network, images: NDArray[np.uint8], state: Pass) -> tuple[Array, Backward]:
    pixels = images.astype(np.float64) / 255.0
    normal = ((pixels - np.asarray(network.mean)) / np.asarray(network.std)).astype(state.arithmetic.dtype, copy=False)
    logits, back = _run(network.body, "", normal.transpose(0, 3, 1, 2), state)

    def backward(dlogits: Array) -> Array:
        return back(dlogits.astype(state.arithmetic.dtype, copy=False))

    return logits.astype(np.float64, copy=False), backward


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


def _as(weights: Weights, arithmetic: Arithmetic) -> dict[str, Array]:
    return {name: np.asarray(value, arithmetic.dtype) for name, value in weights.items()}


def _forgetful(layer: Layer) -> Layer:
    return replace(layer, momentum=1.0) if isinstance(layer, BatchNorm) else layer
