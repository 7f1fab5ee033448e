"""The layer vocabulary: frozen dataclasses that say what a network computes and nothing about how.

Everything frameworks silently disagree on is pinned here: padding is an integer on each side (never "SAME"), weights are
OIHW and (out, in), BatchNorm names its momentum convention, its epsilon and the variance that its running statistic takes.
Activations travel as (channels, height, width) per image; how a backend lays them out in memory is its own affair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Conv2d:
    """Square cross-correlation.

    ``y[o, i, j] = b[o] + sum over c, u, v of w[o, c, u, v] * x[c, i*stride + u - padding, j*stride + v - padding]``
    with zeros outside the image. ``weight`` is (out_channels, in_channels // groups, kernel, kernel), ``bias`` is
    (out_channels,). Group g's outputs read group g's inputs only.
    """

    in_channels: int
    out_channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = False


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Batch normalisation over (batch, height, width) for each channel.

    Training normalises with the batch's mean and *biased* variance, ``y = weight * (x - mean) / sqrt(var + epsilon) + bias``,
    then moves the running statistics: ``running = (1 - momentum) * running + momentum * batch`` (PyTorch's convention:
    0.1 keeps nine tenths). The running variance takes the batch's ``unbiased`` (n - 1) or ``biased`` (n) variance.
    Inference normalises with the running statistics.
    """

    channels: int
    epsilon: float = 1e-5
    momentum: float = 0.1
    running_variance: Literal["unbiased", "biased"] = "unbiased"


@dataclass(frozen=True, slots=True)
class ReLU:
    """``max(x, 0)``; the gradient at exactly 0 is 0."""


@dataclass(frozen=True, slots=True)
class SiLU:
    """``x / (1 + exp(-x))``, also called swish."""


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Maximum over a square window; padding never wins (minus infinity). Ties give the gradient to the first in row order."""

    kernel: int
    stride: int
    padding: int = 0


@dataclass(frozen=True, slots=True)
class AveragePool:
    """Mean over a square window without padding."""

    kernel: int
    stride: int


@dataclass(frozen=True, slots=True)
class GlobalAveragePool:
    """Mean over height and width: (channels, height, width) to (channels,)."""


@dataclass(frozen=True, slots=True)
class Flatten:
    """(channels, height, width) to (channels * height * width,), the channel varying slowest."""


@dataclass(frozen=True, slots=True)
class Dense:
    """``y = weight @ x + bias``; ``weight`` is (out_features, in_features), ``bias`` is (out_features,)."""

    in_features: int
    out_features: int
    bias: bool = True


@dataclass(frozen=True, slots=True)
class Sequential:
    """Named layers, one after another. A name becomes a step of the layer's path."""

    layers: tuple[tuple[str, Layer], ...]


@dataclass(frozen=True, slots=True)
class Residual:
    """``body(x) + shortcut(x)``; without a shortcut, ``body(x) + x``. Their paths end in ``.body`` and ``.shortcut``."""

    body: Layer
    shortcut: Layer | None = None


Layer = (
    Conv2d | BatchNorm | ReLU | SiLU | MaxPool | AveragePool | GlobalAveragePool | Flatten | Dense | Sequential | Residual
)


def sequential(**layers: Layer) -> Sequential:
    """``Sequential`` from keyword arguments, in their order."""
    return Sequential(tuple(layers.items()))


@dataclass(frozen=True, slots=True)
class Network:
    """A classifier of square-pixel RGB images.

    The input is uint8 NHWC; the device computes ``(x / 255 - mean) / std`` per channel, in at least fp32, before the body.
    The body ends in (classes,) logits.
    """

    height: int
    width: int
    classes: int
    body: Sequential
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)


def map_layers(layer: Layer, change: Callable[[Layer], Layer]) -> Layer:
    """The same tree with ``change`` applied to every leaf layer."""
    if isinstance(layer, Sequential):
        return Sequential(tuple((name, map_layers(part, change)) for name, part in layer.layers))
    if isinstance(layer, Residual):
        shortcut = None if layer.shortcut is None else map_layers(layer.shortcut, change)
        return Residual(map_layers(layer.body, change), shortcut)
    return change(layer)


def map_network(network: Network, change: Callable[[Layer], Layer]) -> Network:
    """The same network with ``change`` applied to every leaf layer."""
    body = map_layers(network.body, change)
    assert isinstance(body, Sequential)
    return replace(network, body=body)
