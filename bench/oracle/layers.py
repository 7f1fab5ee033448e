"""Forward and backward of every leaf layer, in NCHW float64. Each forward returns its output and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import singledispatch

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bench.oracle.arithmetic import Arithmetic, Array
from bench.spec import (
    AveragePool,
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    ReLU,
    SiLU,
    join,
)

Backward = Callable[[Array], Array]
"""Takes the gradient of the output, adds the weights' gradients to ``Pass.gradients``, returns the input's gradient."""


@dataclass
class Pass:
    """What one pass reads and leaves behind."""

    weights: dict[str, Array]
    training: bool
    arithmetic: Arithmetic
    copies: int = 1  # each image stands for so many: nothing but rounding and the running variance would tell them apart
    gradients: dict[str, Array] = field(default_factory=dict)
    statistics: dict[str, Array] = field(default_factory=dict)  # updated running statistics


def channels_last(x: Array) -> Array:
    """(batch, height, width, channels) of ``x`` (batch, channels, height, width), without gaps in memory.

    What a convolution returns lies so in memory already, and NumPy's arithmetic keeps it so: windows are then copied in runs, not
    number by number.
    """
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def _padded(x: Array, padding: int, value: float) -> Array:
    """``x`` (batch, height, width, channels) with so many rows and columns of ``value`` on each side."""
    if not padding:
        return x
    batch, height, width, channels = x.shape
    padded = np.full((batch, height + 2 * padding, width + 2 * padding, channels), value, x.dtype)
    padded[:, padding:-padding, padding:-padding] = x
    return padded


def _sum(one: Array, other: Array) -> Array:
    """The sum of products over all axes but the channels', (channels,)."""
    if one.ndim == 4:
        one, other = (channels_last(x).reshape(-1, x.shape[1]) for x in (one, other))
    return np.asarray(np.einsum("nc,nc->c", one, other))


@singledispatch
def forward(layer: Layer, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    """Output (batch, …) of one leaf layer, and its backward function."""
    raise TypeError(f"the oracle knows no layer {type(layer).__name__}")


@forward.register
def _(layer: Conv2d, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    weight_name, bias_name = join(path, "weight"), join(path, "bias")
    x, weight = state.arithmetic.operand(x), state.arithmetic.operand(state.weights[weight_name])
    p, s, k, g = layer.padding, layer.stride, layer.kernel, layer.groups
    padded = _padded(channels_last(x), p, 0.0)
    rows, columns = ((size + 2 * p - k) // s + 1 for size in x.shape[2:])
    inputs, outputs = weight.shape[1], len(weight) // g  # of a group
    kernels = weight.reshape(g, outputs, inputs, k, k).transpose(0, 3, 4, 2, 1)  # (groups, k, k, inputs, outputs)

    def windows() -> Array:
        """(groups, images * rows * columns, k * k * inputs), made anew for the way back: it is k * k times the input."""
        every = sliding_window_view(padded, (k, k), axis=(1, 2))[:, ::s, ::s]  # (n, rows, columns, channels, k, k)
        parts = every.reshape(*every.shape[:3], g, inputs, k, k) if g > 1 else every[:, :, :, None]
        return parts.transpose(3, 0, 1, 2, 5, 6, 4).reshape(g, -1, k * k * inputs)

    def whole(parts: Array) -> Array:
        """(images, channels, rows, columns) of (groups, images * rows * columns, channels of a group)."""
        return parts.transpose(1, 0, 2).reshape(len(x), rows, columns, -1).transpose(0, 3, 1, 2)

    y = state.arithmetic.result(whole(windows() @ kernels.reshape(g, -1, outputs)), weight[0].size)
    if layer.bias:
        y = y + state.weights[bias_name][:, None, None]

    def backward(dy: Array) -> Array:
        if layer.bias:
            state.gradients[bias_name] = dy.sum((0, 2, 3))
        last = channels_last(state.arithmetic.operand(dy))
        parts = last.reshape(-1, g, outputs).transpose(1, 0, 2)  # (groups, images * rows * columns, outputs)
        dw = (parts.transpose(0, 2, 1) @ windows()).reshape(len(weight), k, k, inputs).transpose(0, 3, 1, 2)
        state.gradients[weight_name] = state.arithmetic.result(dw, dy[:, 0].size * state.copies)
        slopes = kernels.transpose(0, 1, 2, 4, 3)
        dx = _folded(padded.shape, layer, last, lambda u, v: whole(parts @ slopes[:, u, v]).transpose(0, 2, 3, 1))
        inside = dx[:, p : p + x.shape[2], p : p + x.shape[3]].transpose(0, 3, 1, 2)
        return state.arithmetic.result(inside, weight[:, 0].size // g)

    return y, backward


@forward.register
def _(layer: Dense, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    weight_name, bias_name = join(path, "weight"), join(path, "bias")
    x, weight = state.arithmetic.operand(x), state.arithmetic.operand(state.weights[weight_name])
    y = state.arithmetic.result(x @ weight.T, x.shape[1])
    if layer.bias:
        y = y + state.weights[bias_name]

    def backward(dy: Array) -> Array:
        if layer.bias:
            state.gradients[bias_name] = dy.sum(0)
        dy = state.arithmetic.operand(dy)
        state.gradients[weight_name] = state.arithmetic.result(dy.T @ x, len(x) * state.copies)
        return state.arithmetic.result(dy @ weight, len(weight))

    return y, backward


@forward.register
def _(layer: BatchNorm, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    def tensor(name: str) -> Array:
        value = state.weights[join(path, name)]
        return value.reshape(-1, *(1 for _ in x.shape[2:]))

    axes = (0, *range(2, x.ndim))
    count = x.size // layer.channels
    if state.training:
        terms = count * state.copies
        true = x.mean(axes, keepdims=True)
        centred = x - true
        mean = state.arithmetic.statistic(true[0], terms)
        variance = state.arithmetic.statistic(_sum(centred, centred).reshape(mean.shape) / count, terms)
        centred += true - mean
        for name, batch in (("running_mean", mean), ("running_var", variance)):
            unbias = terms / (terms - 1) if name == "running_var" and layer.running_variance == "unbiased" else 1.0
            old = state.weights[join(path, name)]
            state.statistics[join(path, name)] = (1 - layer.momentum) * old + layer.momentum * unbias * batch.ravel()
    else:
        centred, variance = x - tensor("running_mean"), tensor("running_var")
    scale = 1.0 / np.sqrt(variance + layer.epsilon)
    normal = np.multiply(centred, scale, out=centred)
    weight = tensor("weight")

    def backward(dy: Array) -> Array:
        slopes = _sum(dy, normal)
        state.gradients[join(path, "weight")] = slopes
        state.gradients[join(path, "bias")] = dy.sum(axes)
        if not state.training:
            return np.asarray(dy * (weight * scale))
        dx = normal * (-slopes.reshape(weight.shape) / count)
        dx += dy
        dx -= dy.mean(axes, keepdims=True)
        dx *= weight * scale
        return np.asarray(dx)

    y = normal * weight
    y += tensor("bias")
    return y, backward


@forward.register
def _(layer: ReLU, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    return np.maximum(x, 0.0), lambda dy: dy * (x > 0)


@forward.register
def _(layer: SiLU, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    with np.errstate(over="ignore"):  # to infinity, of which the quotient is 0, as it should be
        s = 1.0 / (1.0 + np.exp(-x))
    return x * s, lambda dy: dy * (s + x * s * (1 - s))


@forward.register
def _(layer: MaxPool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    p, s, k = layer.padding, layer.stride, layer.kernel
    padded = _padded(channels_last(x), p, -np.inf)
    windows = sliding_window_view(padded, (k, k), axis=(1, 2))[:, ::s, ::s]
    flat = windows.reshape(*windows.shape[:4], k * k)
    winner = flat.argmax(-1)

    def backward(dy: Array) -> Array:
        last = channels_last(dy)
        dx = _folded(padded.shape, layer, last, lambda u, v: last * (winner == u * k + v))
        return np.asarray(dx[:, p : p + x.shape[2], p : p + x.shape[3]].transpose(0, 3, 1, 2))

    return flat.max(-1).transpose(0, 3, 1, 2), backward


@forward.register
def _(layer: AveragePool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    s, k = layer.stride, layer.kernel
    last = channels_last(x)
    y = sliding_window_view(last, (k, k), axis=(1, 2))[:, ::s, ::s].mean((-1, -2))

    def backward(dy: Array) -> Array:
        share = channels_last(dy) / k**2
        return _folded(last.shape, layer, share, lambda u, v: share).transpose(0, 3, 1, 2)

    return y.transpose(0, 3, 1, 2), backward


def _folded(
    shape: tuple[int, ...], layer: Conv2d | MaxPool | AveragePool, dy: Array, part: Callable[[int, int], Array]
) -> Array:
    """The gradient (batch, height, width, channels) of an input of this ``shape``, of which place (u, v) of every window has
    ``part(u, v)``; ``dy`` is the output's."""
    dx, s = np.zeros(shape, dy.dtype), layer.stride
    rows, columns = dy.shape[1:3]
    for u in range(layer.kernel):
        for v in range(layer.kernel):
            dx[:, u : u + s * rows : s, v : v + s * columns : s] += part(u, v)
    return dx


@forward.register
def _(layer: GlobalAveragePool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    area = x.shape[2] * x.shape[3]
    return x.mean((2, 3)), lambda dy: np.broadcast_to(dy[:, :, None, None] / area, x.shape)


@forward.register
def _(layer: Flatten, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    return x.reshape(len(x), -1), lambda dy: dy.reshape(x.shape)
