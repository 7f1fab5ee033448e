"""Layers as other frameworks have them, or as they are easily got wrong: each a layer of the specification with one thing changed.

The oracle computes them like any layer. A diagnosis tries them one after the other, and the zoo of ``bench.testing`` is fed with them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from bench.oracle.arithmetic import Array
from bench.oracle.layers import Backward, Pass, forward
from bench.spec import AveragePool, BatchNorm, Conv2d, Flatten, MaxPool, ReLU, SiLU, join

Kind = TypeVar("Kind", BatchNorm, Conv2d, MaxPool, AveragePool, ReLU, SiLU, Flatten)


def become(layer: Any, kind: type[Kind]) -> Kind:
    """The same layer as another kind with the same fields."""
    return kind(**{field.name: getattr(layer, field.name) for field in fields(layer)})


def _unmixed(layer: Any) -> Any:
    """The layer of the specification that a changed one comes from."""
    return become(layer, type(layer).__mro__[1])


# ---- activations -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClippedReLU(ReLU):
    """``min(max(x, 0), 6)``, also called ReLU6."""


@forward.register
def _(layer: ClippedReLU, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    return np.clip(x, 0.0, 6.0), lambda dy: dy * ((x > 0) & (x < 6))


@dataclass(frozen=True, slots=True)
class LeakyReLU(ReLU):
    """``max(x, x / 100)``."""


@forward.register
def _(layer: LeakyReLU, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    return np.maximum(x, 0.01 * x), lambda dy: dy * np.where(x > 0, 1.0, 0.01)


@dataclass(frozen=True, slots=True)
class HardSwish(SiLU):
    """``x * min(max(x + 3, 0), 6) / 6``, a cheap stand-in for SiLU (Howard et al. 2019, arXiv:1905.02244)."""


@forward.register
def _(layer: HardSwish, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    gate, inside = np.clip(x + 3, 0.0, 6.0) / 6, (x > -3) & (x < 3)
    return x * gate, lambda dy: dy * (gate + inside * x / 6)


@dataclass(frozen=True, slots=True)
class QuickGELU(SiLU):
    """``x / (1 + exp(-1.702 x))``, GELU's approximation (Hendrycks and Gimpel 2016, arXiv:1606.08415)."""


@forward.register
def _(layer: QuickGELU, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    s = 1.0 / (1.0 + np.exp(-1.702 * x))
    return x * s, lambda dy: dy * (s + 1.702 * x * s * (1 - s))


@dataclass(frozen=True, slots=True)
class OverflowingSiLU(SiLU):
    """``x * exp(x) / (1 + exp(x))`` in fp32: not a number from x = 89 on."""


@forward.register
def _(layer: OverflowingSiLU, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(x.astype(np.float32))
        s = (e / (1 + e)).astype(np.float64)
    return x * s, lambda dy: dy * (s + x * s * (1 - s))


# ---- windows ---------------------------------------------------------------------------------------------------------


def _late(layer: Conv2d | MaxPool, size: int) -> tuple[int, int]:
    """Rows of padding before and after so many: TensorFlow's ``SAME``, which puts the odd one at the end."""
    total = max((-(-size // layer.stride) - 1) * layer.stride + layer.kernel - size, 0)
    return total // 2, total - total // 2


def _on_padded(
    layer: Any, path: str, x: Array, state: Pass, rows: tuple[int, int], columns: tuple[int, int], value: float = 0.0
) -> tuple[Array, Backward]:
    """The layer without padding of its own, on an input that has some already."""
    padded = np.pad(x, ((0, 0), (0, 0), rows, columns), constant_values=value)
    y, back = forward(layer, path, padded, state)
    return y, lambda dy: back(dy)[:, :, rows[0] : rows[0] + x.shape[2], columns[0] : columns[0] + x.shape[3]]


@dataclass(frozen=True, slots=True)
class LatePaddedConv2d(Conv2d):
    """Padding as TensorFlow's ``SAME``: one row less before the image where the stride is 2 and the image's size even."""


@dataclass(frozen=True, slots=True)
class LatePaddedMaxPool(MaxPool):
    """Padding as TensorFlow's ``SAME``."""


@forward.register(LatePaddedConv2d)
@forward.register(LatePaddedMaxPool)
def _(layer: LatePaddedConv2d | LatePaddedMaxPool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    if not layer.padding:
        return forward(_unmixed(layer), path, x, state)
    bare = replace(_unmixed(layer), padding=0)
    outside = -np.inf if isinstance(layer, MaxPool) else 0.0
    return _on_padded(bare, path, x, state, _late(layer, x.shape[2]), _late(layer, x.shape[3]), outside)


@dataclass(frozen=True, slots=True)
class ZeroPaddedMaxPool(MaxPool):
    """Zeros around the image, which win where all else is negative."""


@forward.register
def _(layer: ZeroPaddedMaxPool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    around = layer.padding, layer.padding
    return _on_padded(replace(_unmixed(layer), padding=0), path, x, state, around, around)


def _rest(layer: MaxPool | AveragePool, size: int) -> int:
    """Rows that are wanting for one more window."""
    return -(size + 2 * getattr(layer, "padding", 0) - layer.kernel) % layer.stride


@dataclass(frozen=True, slots=True)
class CeilingMaxPool(MaxPool):
    """A window more where some rows are left over (``ceil_mode``)."""


@forward.register
def _(layer: CeilingMaxPool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    p = layer.padding
    rows, columns = (p, p + _rest(layer, x.shape[2])), (p, p + _rest(layer, x.shape[3]))
    return _on_padded(replace(_unmixed(layer), padding=0), path, x, state, rows, columns, -np.inf)


@dataclass(frozen=True, slots=True)
class CeilingAveragePool(AveragePool):
    """A window more where some rows are left over, whose mean is over what is there (``ceil_mode``)."""


@forward.register
def _(layer: CeilingAveragePool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    rows, columns = (0, _rest(layer, x.shape[2])), (0, _rest(layer, x.shape[3]))
    y, back = _on_padded(_unmixed(layer), path, x, state, rows, columns)
    share, _ = _on_padded(_unmixed(layer), path, np.ones_like(x), state, rows, columns)
    return y / share, lambda dy: back(dy / share)


@dataclass(frozen=True, slots=True)
class PaddedAveragePool(AveragePool):
    """Zeros around the image, which count, as with padding of half a window."""


@forward.register
def _(layer: PaddedAveragePool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    around = layer.kernel // 2, layer.kernel // 2
    return _on_padded(_unmixed(layer), path, x, state, around, around)


@dataclass(frozen=True, slots=True)
class InterleavedConv2d(Conv2d):
    """Group g reads the channels g, g + groups, g + 2 * groups … instead of consecutive ones."""


@forward.register
def _(layer: InterleavedConv2d, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    order = np.arange(layer.in_channels).reshape(-1, layer.groups).T.ravel()
    y, back = forward(_unmixed(layer), path, x[:, order], state)
    return y, lambda dy: back(dy)[:, np.argsort(order)]


# ---- BatchNorm -------------------------------------------------------------------------------------------------------


def _variance(layer: BatchNorm, path: str, x: Array, state: Pass) -> Array:
    """What the layer normalises with, shaped to be added to it."""
    if state.training:
        return np.asarray(x.var((0, *range(2, x.ndim)), keepdims=True)[0])
    return state.weights[join(path, "running_var")].reshape(-1, *(1 for _ in x.shape[2:]))


def _with_epsilon(layer: BatchNorm, epsilon: Array, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    """BatchNorm with an epsilon of its own for each channel."""
    return forward(replace(_unmixed(layer), epsilon=epsilon), path, x, state)


@dataclass(frozen=True, slots=True)
class EpsilonOutside(BatchNorm):
    """``(x - mean) / (sqrt(var) + epsilon)``."""


@forward.register
def _(layer: EpsilonOutside, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    variance = _variance(layer, path, x, state)
    return _with_epsilon(layer, (np.sqrt(variance) + layer.epsilon) ** 2 - variance, path, x, state)


@dataclass(frozen=True, slots=True)
class LargestOfEpsilon(BatchNorm):
    """``(x - mean) / sqrt(max(var, epsilon))``."""


@forward.register
def _(layer: LargestOfEpsilon, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    variance = _variance(layer, path, x, state)
    return _with_epsilon(layer, np.maximum(variance, layer.epsilon) - variance, path, x, state)


@dataclass(frozen=True, slots=True)
class UnbiasedNorm(BatchNorm):
    """Training normalises with the unbiased variance (n - 1) too."""


@forward.register
def _(layer: UnbiasedNorm, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    if not state.training:
        return forward(_unmixed(layer), path, x, state)
    count = x.size // layer.channels * state.copies
    return _with_epsilon(layer, layer.epsilon + _variance(layer, path, x, state) / (count - 1), path, x, state)


@dataclass(frozen=True, slots=True)
class VarianceForDeviation(BatchNorm):
    """Inference divides by the variance, not by its root."""


@forward.register
def _(layer: VarianceForDeviation, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    if state.training:
        return forward(_unmixed(layer), path, x, state)
    variance = _variance(layer, path, x, state)
    return _with_epsilon(layer, (variance + layer.epsilon) ** 2 - variance, path, x, state)


@dataclass(frozen=True, slots=True)
class BatchStatistics(BatchNorm):
    """Inference normalises with the batch's own mean and variance, as in training."""


@forward.register
def _(layer: BatchStatistics, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    return forward(_unmixed(layer), path, x, replace(state, training=True, statistics=dict(state.statistics)))


@dataclass(frozen=True, slots=True)
class WithoutStatistics(BatchNorm):
    """Inference takes every mean for 0 and every variance for 1."""


@forward.register
def _(layer: WithoutStatistics, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    names = {join(path, "running_mean"): np.zeros(layer.channels), join(path, "running_var"): np.ones(layer.channels)}
    return forward(_unmixed(layer), path, x, state if state.training else replace(state, weights=state.weights | names))


@dataclass(frozen=True, slots=True)
class WithoutAffine(BatchNorm):
    """Normalises, and leaves weight and bias out."""


@forward.register
def _(layer: WithoutAffine, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    names = {join(path, "weight"): np.ones(layer.channels), join(path, "bias"): np.zeros(layer.channels)}
    return forward(_unmixed(layer), path, x, replace(state, weights=state.weights | names))


@dataclass(frozen=True, slots=True)
class ConstantStatistics(BatchNorm):
    """The way back takes the batch's mean and variance for constants."""


@forward.register
def _(layer: ConstantStatistics, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    y, back = forward(_unmixed(layer), path, x, state)
    slope = state.weights[join(path, "weight")].reshape(-1, *(1 for _ in x.shape[2:]))
    scale = slope / np.sqrt(_variance(layer, path, x, state) + layer.epsilon)

    def backward(dy: Array) -> Array:
        back(dy)  # the gradients of weight and bias
        return np.asarray(dy * scale)

    return y, backward


# ---- order -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChannelsLastFlatten(Flatten):
    """(channels, height, width) with the channel varying fastest."""


@forward.register
def _(layer: ChannelsLastFlatten, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    last = x.transpose(0, 2, 3, 1)
    return last.reshape(len(x), -1), lambda dy: dy.reshape(last.shape).transpose(0, 3, 1, 2)
