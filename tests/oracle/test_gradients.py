"""The oracle against finite differences, for every layer type and drawn shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.oracle.arithmetic import MANTISSA_BITS, exact, round_to_bits
from bench.oracle.layers import Pass, forward
from bench.spec import AveragePool, BatchNorm, Conv2d, Dense, Flatten, GlobalAveragePool, MaxPool, ReLU, SiLU

LAYERS = [
    Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=True),
    Conv2d(4, 2, 1),
    BatchNorm(4),
    ReLU(),
    SiLU(),
    MaxPool(3, 2, 1),
    AveragePool(2, 2),
    GlobalAveragePool(),
    Flatten(),
]


def weights_of(layer, rng):
    if isinstance(layer, Conv2d):
        shape = (layer.out_channels, layer.in_channels // layer.groups, layer.kernel, layer.kernel)
        return {"weight": rng.normal(size=shape)} | ({"bias": rng.normal(size=layer.out_channels)} if layer.bias else {})
    if isinstance(layer, Dense):
        return {
            "weight": rng.normal(size=(layer.out_features, layer.in_features)),
            "bias": rng.normal(size=layer.out_features),
        }
    if isinstance(layer, BatchNorm):
        return {name: rng.uniform(0.5, 1.5, layer.channels) for name in ("weight", "bias", "running_mean", "running_var")}
    return {}


def slope(function, array, at, step=1e-6):
    array[at] += step
    above = function()
    array[at] -= 2 * step
    below = function()
    array[at] += step
    return (above - below) / (2 * step)


def check(layer, x, training, rng):
    weights = weights_of(layer, rng)
    y, _ = forward(layer, "", x, Pass(weights, training, exact))
    towards = rng.normal(size=y.shape)

    def value():
        return float((forward(layer, "", x, Pass(weights, training, exact))[0] * towards).sum())

    state = Pass(weights, training, exact)
    _, backward = forward(layer, "", x, state)
    dx = backward(towards)
    for _ in range(4):
        at = tuple(rng.integers(0, size) for size in x.shape)
        assert dx[at] == pytest.approx(slope(value, x, at), abs=1e-5)
        for name, gradient in state.gradients.items():
            at = tuple(rng.integers(0, size) for size in gradient.shape)
            assert gradient[at] == pytest.approx(slope(value, weights[name], at), abs=1e-5), name


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
@settings(max_examples=8)
@given(st.integers(0, 2**32), st.integers(2, 4), st.integers(4, 7), st.integers(4, 7))
def test_every_layers_gradient(layer, training, seed, batch, height, width):
    rng = np.random.default_rng(seed)
    check(layer, rng.normal(size=(batch, 4, height, width)), training, rng)


@settings(max_examples=8)
@given(st.integers(0, 2**32))
def test_the_dense_layers_gradient(seed):
    rng = np.random.default_rng(seed)
    check(Dense(5, 3), rng.normal(size=(4, 5)), True, rng)


@given(st.floats(-1e30, 1e30), st.sampled_from(sorted(MANTISSA_BITS.values())))
def test_rounding_keeps_so_many_bits_and_goes_to_the_nearest(x, bits):
    rounded = float(round_to_bits(np.array(x), bits))
    mantissa, _ = np.frexp(rounded)
    assert mantissa * 2**bits == np.rint(mantissa * 2**bits)
    assert abs(rounded - x) <= abs(x) * 2.0**-bits
