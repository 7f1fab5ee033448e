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


@singledispatch
def forward(layer: Layer, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    """Output (batch, …) of one leaf layer, and its backward function."""
    raise TypeError(f"the oracle knows no layer {type(layer).__name__}")


@forward.register
def _(layer: Conv2d, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    weight_name, bias_name = join(path, "weight"), join(path, "bias")
    x, weight = state.arithmetic.operand(x), state.arithmetic.operand(state.weights[weight_name])
    p, s, k, g = layer.padding, layer.stride, layer.kernel, layer.groups
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = sliding_window_view(padded, (k, k), axis=(2, 3))[:, :, ::s, ::s]  # (n, c, rows, columns, k, k)
    window_groups, weight_groups = np.split(windows, g, axis=1), np.split(weight, g, axis=0)
    parts = [np.tensordot(wg, kg, ([1, 4, 5], [1, 2, 3])) for wg, kg in zip(window_groups, weight_groups, strict=True)]
    y = state.arithmetic.result(np.concatenate(parts, axis=-1).transpose(0, 3, 1, 2), weight[0].size)
    if layer.bias:
        y = y + state.weights[bias_name][:, None, None]

    def backward(dy: Array) -> Array:
        if layer.bias:
            state.gradients[bias_name] = dy.sum((0, 2, 3))
        dy = state.arithmetic.operand(dy)
        dy_groups = np.split(dy, g, axis=1)
        dw = [np.tensordot(d, wg, ([0, 2, 3], [0, 2, 3])) for d, wg in zip(dy_groups, window_groups, strict=True)]
        state.gradients[weight_name] = state.arithmetic.result(np.concatenate(dw, axis=0), dy[:, 0].size * state.copies)
        columns = [np.tensordot(d, kg, ([1], [0])) for d, kg in zip(dy_groups, weight_groups, strict=True)]
        spread = np.concatenate(columns, axis=3)  # (n, rows, columns, c, k, k)
        dx = _folded(padded, layer, lambda u, v: spread[..., u, v].transpose(0, 3, 1, 2))
        return state.arithmetic.result(dx[:, :, p : p + x.shape[2], p : p + x.shape[3]], weight[:, 0].size // g)

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
        mean = state.arithmetic.statistic(x.mean(axes, keepdims=True)[0], terms)
        variance = state.arithmetic.statistic(x.var(axes, keepdims=True)[0], terms)
        for name, batch in (("running_mean", mean), ("running_var", variance)):
            unbias = terms / (terms - 1) if name == "running_var" and layer.running_variance == "unbiased" else 1.0
            old = state.weights[join(path, name)]
            state.statistics[join(path, name)] = (1 - layer.momentum) * old + layer.momentum * unbias * batch.ravel()
    else:
        mean, variance = tensor("running_mean"), tensor("running_var")
    scale = 1.0 / np.sqrt(variance + layer.epsilon)
    normal = (x - mean) * scale
    weight = tensor("weight")

    def backward(dy: Array) -> Array:
        state.gradients[join(path, "weight")] = (dy * normal).sum(axes)
        state.gradients[join(path, "bias")] = dy.sum(axes)
        d = dy * weight
        if not state.training:
            return np.asarray(d * scale)
        centred = d - d.mean(axes, keepdims=True) - normal * (d * normal).mean(axes, keepdims=True)
        return np.asarray(centred * scale)

    return normal * weight + tensor("bias"), backward


@forward.register
def _(layer: ReLU, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    return np.maximum(x, 0.0), lambda dy: dy * (x > 0)


@forward.register
def _(layer: SiLU, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    s = 1.0 / (1.0 + np.exp(-x))
    return x * s, lambda dy: dy * (s + x * s * (1 - s))


@forward.register
def _(layer: MaxPool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    p, s, k = layer.padding, layer.stride, layer.kernel
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=-np.inf)
    windows = sliding_window_view(padded, (k, k), axis=(2, 3))[:, :, ::s, ::s]
    flat = windows.reshape(*windows.shape[:4], k * k)
    winner = flat.argmax(-1)

    def backward(dy: Array) -> Array:
        dx = _folded(padded, layer, lambda u, v: dy * (winner == u * k + v))
        return np.asarray(dx[:, :, p : p + x.shape[2], p : p + x.shape[3]])

    return flat.max(-1), backward


@forward.register
def _(layer: AveragePool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    s, k = layer.stride, layer.kernel
    y = sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::s, ::s].mean((-1, -2))
    return y, lambda dy: _folded(x, layer, lambda u, v: dy / k**2)


def _folded(x: Array, layer: Conv2d | MaxPool | AveragePool, part: Callable[[int, int], Array]) -> Array:
    """The gradient of ``x`` (batch, channels, height, width), of which place (u, v) of every window has ``part(u, v)``."""
    dx, s = np.zeros_like(x), layer.stride
    for u in range(layer.kernel):
        for v in range(layer.kernel):
            piece = part(u, v)
            rows, cols = piece.shape[2:]
            dx[:, :, u : u + s * rows : s, v : v + s * cols : s] += piece
    return dx


@forward.register
def _(layer: GlobalAveragePool, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    area = x.shape[2] * x.shape[3]
    return x.mean((2, 3)), lambda dy: np.broadcast_to(dy[:, :, None, None] / area, x.shape)


@forward.register
def _(layer: Flatten, path: str, x: Array, state: Pass) -> tuple[Array, Backward]:
    return x.reshape(len(x), -1), lambda dy: dy.reshape(x.shape)
