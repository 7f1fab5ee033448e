"""Backend ``numpy``: inference in plain NumPy. A device that cannot train says ``trains=False``."""

from __future__ import annotations

import platform

import numpy as np

from bench.contract import Device, Probe, UnsupportedLayer, hookimpl
from bench.spec import (
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    ReLU,
    Residual,
    Sequential,
    SiLU,
    join,
)

DTYPES = {"float64": np.float64, "fp32": np.float32}


class NumpyBackend:
    """NHWC, convolutions as one matrix product over gathered patches."""

    name = "numpy"

    def probe(self):
        device = Device("numpy", "cpu", "", tuple(DTYPES), "host", trains=False)
        return Probe((device,), {"numpy": np.__version__, "python": platform.python_version()})

    def trainer(self, workload, weights, device, settings):
        raise UnsupportedLayer("the numpy backend has no gradients")

    def predictor(self, workload, weights, device, settings):
        return NumpyPredictor(workload.network, weights, DTYPES[settings.precision])


class NumpyPredictor:
    """Everything happens in ``run``; there is nothing to stage and nothing to wait for."""

    lowering = "NumPy, patches and one product"

    def __init__(self, network, weights, dtype):
        self.network, self.dtype = network, dtype
        self.weights = {name: np.asarray(value, dtype) for name, value in weights.items()}
        self._check(network.body)

    def _check(self, layer):
        if isinstance(layer, Sequential):
            for _, part in layer.layers:
                self._check(part)
        elif isinstance(layer, Residual):
            self._check(layer.body)
            if layer.shortcut is not None:
                self._check(layer.shortcut)
        elif type(layer) not in TABLE:
            raise UnsupportedLayer(f"the numpy backend has no {type(layer).__name__}")
        elif isinstance(layer, Conv2d) and layer.groups != 1:
            raise UnsupportedLayer("the numpy backend has no grouped Conv2d")

    def stage(self, images):
        return images

    def run(self, images):
        mean, std = np.asarray(self.network.mean, self.dtype), np.asarray(self.network.std, self.dtype)
        logits = self._apply(self.network.body, "", (images.astype(self.dtype) / self.dtype(255) - mean) / std)
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        return exponentials / exponentials.sum(1, keepdims=True)

    def wait(self, probabilities):
        return probabilities

    def _apply(self, layer, path, x):
        if isinstance(layer, Sequential):
            for name, part in layer.layers:
                x = self._apply(part, join(path, name), x)
            return x
        if isinstance(layer, Residual):
            short = x if layer.shortcut is None else self._apply(layer.shortcut, join(path, "shortcut"), x)
            return self._apply(layer.body, join(path, "body"), x) + short
        return TABLE[type(layer)](layer, lambda name: self.weights.get(join(path, name)), x)


def patches(x, kernel, stride, padding, fill):
    """Windows (batch, rows, columns, channels, kernel, kernel) of an NHWC array."""
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))
    return windows[:, ::stride, ::stride]


def conv(layer, tensor, x):
    y = np.tensordot(patches(x, layer.kernel, layer.stride, layer.padding, 0), tensor("weight"), ([3, 4, 5], [1, 2, 3]))
    return y + tensor("bias") if layer.bias else y


def dense(layer, tensor, x):
    y = x @ tensor("weight").T
    return y + tensor("bias") if layer.bias else y


def batch_norm(layer, tensor, x):
    scale = tensor("weight") / np.sqrt(tensor("running_var") + x.dtype.type(layer.epsilon))
    return (x - tensor("running_mean")) * scale + tensor("bias")


TABLE = {
    Conv2d: conv,
    Dense: dense,
    BatchNorm: batch_norm,
    ReLU: lambda layer, tensor, x: np.maximum(x, 0),
    SiLU: lambda layer, tensor, x: x / (1 + np.exp(-x)),
    MaxPool: lambda layer, tensor, x: patches(x, layer.kernel, layer.stride, layer.padding, -np.inf).max((-1, -2)),
    GlobalAveragePool: lambda layer, tensor, x: x.mean((1, 2)),
    Flatten: lambda layer, tensor, x: x.transpose(0, 3, 1, 2).reshape(len(x), -1),
}


@hookimpl
def bench_backends():
    return [NumpyBackend()]
