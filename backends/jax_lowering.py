"""The spec lowered into JAX: pure functions over a dictionary of arrays under canonical names, NHWC activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from backends.jax_convolution import host_convolution, host_max_pool, native
from backends.jax_norm import host_batch_norm
from bench.contract import UnsupportedLayer
from bench.spec import (
    AveragePool,
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Sequential,
    SiLU,
    Weights,
    join,
)

Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Numerics:
    """``state`` holds weights, statistics and loss; ``operand`` feeds convolutions and products; ``precision`` is how
    XLA may round fp32 operands."""

    state: np.dtype
    operand: np.dtype
    precision: lax.Precision


def numerics(precision: str) -> Numerics:
    """The dtypes of one of the contract's precisions. HIGHEST forbids tf32 on GPUs and bf16 passes on TPUs."""
    if precision == "float64":
        return Numerics(np.dtype("float64"), np.dtype("float64"), lax.Precision.HIGHEST)
    operand = np.dtype(jnp.bfloat16) if precision == "bf16" else np.dtype("float32")
    exact = lax.Precision.HIGHEST if precision == "fp32" else lax.Precision.DEFAULT
    return Numerics(np.dtype("float32"), operand, exact)


@dataclass
class _Pass:
    arrays: Arrays
    kinds: Numerics
    training: bool
    on_host: bool
    statistics: dict[str, Array]


def to_jax(weights: Weights, dtype: np.dtype) -> dict[str, NDArray[np.floating]]:
    """Canonical tensors as JAX keeps them, convolution kernels HWIO; on the host, so that no other device is touched."""
    return {
        name: np.asarray(value.transpose(2, 3, 1, 0) if value.ndim == 4 else value, dtype) for name, value in weights.items()
    }


def from_jax(arrays: Arrays) -> Weights:
    """NumPy copies in canonical layout."""
    host = {name: np.array(value) for name, value in arrays.items()}
    return {name: value.transpose(3, 2, 0, 1).copy() if value.ndim == 4 else value for name, value in host.items()}


def apply(
    network: Network, arrays: Arrays, images: Array, kinds: Numerics, training: bool, on_host: bool = False
) -> tuple[Array, dict[str, Array]]:
    """Logits (batch, classes) of uint8 NHWC images, and the updated running statistics.

    ``on_host``: with this project's convolutions for XLA on the host instead of XLA's own.
    """
    state = _Pass(arrays, kinds, training, on_host, {})
    x = images.astype(kinds.state) / 255.0
    x = (x - jnp.asarray(network.mean, kinds.state)) / jnp.asarray(network.std, kinds.state)
    return _apply(network.body, "", x, state).astype(kinds.state), state.statistics


def _apply(layer: Layer, path: str, x: Array, state: _Pass) -> Array:
    if isinstance(layer, Sequential):
        for name, part in layer.layers:
            x = _apply(part, join(path, name), x, state)
        return x
    if isinstance(layer, Residual):
        short = x if layer.shortcut is None else _apply(layer.shortcut, join(path, "shortcut"), x, state)
        return _apply(layer.body, join(path, "body"), x, state) + short
    function = _TABLE.get(type(layer))
    if function is None:
        raise UnsupportedLayer(f"JAX lowering has no {type(layer).__name__} ('{path}')")
    return function(layer, path, x, state)


def _conv(layer: Conv2d, path: str, x: Array, state: _Pass) -> Array:
    kinds = state.kinds
    operands = x.astype(kinds.operand), state.arrays[join(path, "weight")].astype(kinds.operand)
    convolution = host_convolution if state.on_host and layer.groups == 1 else native
    y = convolution(*operands, layer, kinds.precision)
    return y + state.arrays[join(path, "bias")].astype(y.dtype) if layer.bias else y


def _dense(layer: Dense, path: str, x: Array, state: _Pass) -> Array:
    kinds = state.kinds
    weight = state.arrays[join(path, "weight")].astype(kinds.operand)
    y = jnp.matmul(x.astype(kinds.operand), weight.T, precision=kinds.precision)
    return y + state.arrays[join(path, "bias")].astype(y.dtype) if layer.bias else y


def _batch_norm(layer: BatchNorm, path: str, x: Array, state: _Pass) -> Array:
    weight, bias, mean, var = (state.arrays[join(path, n)] for n in ("weight", "bias", "running_mean", "running_var"))
    if state.training and state.on_host:
        y, batch_mean, batch_var = host_batch_norm(x, weight, bias, layer.epsilon)
        _move(layer, path, (mean, var), (batch_mean, batch_var), x.size // layer.channels, state)
        return y
    wide = x.astype(state.kinds.state)
    if state.training:
        old, axes = (mean, var), tuple(range(x.ndim - 1))
        mean = wide.mean(axes)
        var = jnp.square(wide - mean).mean(axes)
        _move(layer, path, old, (mean, var), x.size // layer.channels, state)
    return ((wide - mean) * (lax.rsqrt(var + layer.epsilon) * weight) + bias).astype(x.dtype)


def _move(layer: BatchNorm, path: str, old: tuple[Array, Array], new: tuple[Array, Array], count: int, state: _Pass) -> None:
    """The running statistics towards those of a batch with so many values per channel."""
    unbias = count / (count - 1) if layer.running_variance == "unbiased" else 1.0
    keep, move = 1 - layer.momentum, layer.momentum
    state.statistics[join(path, "running_mean")] = keep * old[0] + move * new[0]
    state.statistics[join(path, "running_var")] = keep * old[1] + move * unbias * new[1]


def _max_pool(layer: MaxPool, path: str, x: Array, state: _Pass) -> Array:
    if state.on_host:
        return host_max_pool(x, layer)
    window, strides = (1, layer.kernel, layer.kernel, 1), (1, layer.stride, layer.stride, 1)
    padding = ((0, 0), (layer.padding, layer.padding), (layer.padding, layer.padding), (0, 0))
    return lax.reduce_window(x, np.array(-np.inf, x.dtype), lax.max, window, strides, padding)


def _average_pool(layer: AveragePool, path: str, x: Array, state: _Pass) -> Array:
    window, strides = (1, layer.kernel, layer.kernel, 1), (1, layer.stride, layer.stride, 1)
    return lax.reduce_window(x, np.array(0, x.dtype), lax.add, window, strides, "VALID") / layer.kernel**2


_TABLE: dict[type, Callable[..., Array]] = {
    Conv2d: _conv,
    Dense: _dense,
    BatchNorm: _batch_norm,
    ReLU: lambda layer, path, x, state: jax.nn.relu(x),
    SiLU: lambda layer, path, x, state: jax.nn.silu(x),
    MaxPool: _max_pool,
    AveragePool: _average_pool,
    GlobalAveragePool: lambda layer, path, x, state: x.astype(state.kinds.state).mean((1, 2)),
    Flatten: lambda layer, path, x, state: x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1),
}
