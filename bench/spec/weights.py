"""Initial weights: seeded per layer path, exact on every machine.

Only a bit generator's raw 64-bit output and IEEE arithmetic are used (NumPy promises the raw stream of Philox; it does not
promise its distributions), so the digests in the golden files hold wherever the tool runs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from bench.spec.layers import BatchNorm, Conv2d, Dense, Network
from bench.spec.shapes import Node, join, walk
from bench.spec.tensors import Weights, layer_tensors


def initial_weights(network: Network, seed: int) -> Weights:
    """Every tensor in canonical name and layout, float32.

    Conv2d and Dense weights are uniform on +-sqrt(6 / fan), fan = out * kernel**2 for convolutions and in + out for Dense
    (He et al. 2015, arXiv:1502.01852, fan-out form; Glorot and Bengio 2010). Biases and running means are 0, BatchNorm
    weights and running variances 1.
    """
    weights: dict[str, NDArray[np.floating]] = {}
    for node in walk(network):
        for name, shape in layer_tensors(node).items():
            weights[join(node.path, name)] = _initial(node, name, shape, seed)
    return weights


def _initial(node: Node, name: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    layer = node.layer
    if isinstance(layer, BatchNorm):
        return np.full(shape, 1.0 if name in ("weight", "running_var") else 0.0, np.float32)
    if name == "bias":
        return np.zeros(shape, np.float32)
    if isinstance(layer, Conv2d):
        fan = layer.out_channels // layer.groups * layer.kernel**2
    else:
        assert isinstance(layer, Dense)
        fan = layer.in_features + layer.out_features
    unit = uniform(f"{seed}:{join(node.path, name)}", prod(shape)).reshape(shape)
    return ((2.0 * unit - 1.0) * math.sqrt(6.0 / fan)).astype(np.float32)


def uniform(label: str, count: int) -> NDArray[np.float64]:
    """``count`` float64 numbers on [0, 1), a fixed function of the label: 53 bits of Philox keyed by the label's SHA-256."""
    raw = raw_words(label, count)
    return np.asarray((raw >> np.uint64(11)) * 2.0**-53, np.float64)


def raw_words(label: str, count: int) -> NDArray[np.uint64]:
    """``count`` random 64-bit words, a fixed function of the label."""
    key = int.from_bytes(hashlib.sha256(label.encode()).digest()[:16], "little")
    return np.random.Philox(key=key).random_raw(count)


def digest(arrays: Mapping[str, NDArray[np.generic]]) -> str:
    """SHA-256 over names, dtypes, shapes and little-endian bytes, in sorted order of names."""
    h = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        h.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        h.update(array.tobytes())
    return h.hexdigest()
