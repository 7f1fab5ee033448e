"""Every layer of the oracle: its output against PyTorch's in float64, its gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.oracle.arithmetic import exact
from bench.oracle.layers import Pass, forward
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
)

Case = tuple[Layer, tuple[int, ...]]


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    groups = draw(st.integers(1, 3))
    inputs, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    kernel = draw(st.integers(1, 3))
    padding = draw(st.integers(0, 2))
    stride = draw(st.integers(1, 3))
    height, width = (draw(st.integers(max(1, kernel - 2 * padding), 6)) for _ in range(2))
    layer = Conv2d(inputs, outputs, kernel, stride, padding, groups, bias=draw(st.booleans()))
    return layer, (draw(st.integers(1, 3)), inputs, height, width)


@st.composite
def pools(draw: st.DrawFn) -> Case:
    kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(kernel, 6)), draw(st.integers(kernel, 6)))
    if draw(st.booleans()):
        return AveragePool(kernel, stride), shape
    return MaxPool(kernel, stride, draw(st.integers(0, kernel // 2))), shape


@st.composite
def others(draw: st.DrawFn) -> Case:
    batch, channels = draw(st.integers(2, 4)), draw(st.integers(1, 4))
    image = (batch, channels, draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    vector = (batch, channels)
    norm = BatchNorm(
        channels,
        epsilon=draw(st.sampled_from([1e-5, 1e-2])),
        momentum=draw(st.sampled_from([0.1, 0.7])),
        running_variance=draw(st.sampled_from(["unbiased", "biased"])),
    )
    anywhere = draw(st.sampled_from([ReLU(), SiLU(), norm]))
    return draw(
        st.sampled_from(
            [
                (anywhere, image),
                (anywhere, vector),
                (GlobalAveragePool(), image),
                (Flatten(), image),
                (Dense(channels, draw(st.integers(1, 4)), bias=draw(st.booleans())), vector),
            ]
        )
    )


def tensors(layer: Layer, rng: np.random.Generator) -> dict[str, np.ndarray]:
    match layer:
        case Conv2d():
            shape = (layer.out_channels, layer.in_channels // layer.groups, layer.kernel, layer.kernel)
            bias = {"l.bias": rng.normal(size=layer.out_channels)} if layer.bias else {}
            return {"l.weight": rng.normal(size=shape)} | bias
        case Dense():
            bias = {"l.bias": rng.normal(size=layer.out_features)} if layer.bias else {}
            return {"l.weight": rng.normal(size=(layer.out_features, layer.in_features))} | bias
        case BatchNorm():
            names = ("weight", "bias", "running_mean", "running_var")
            return {f"l.{name}": rng.uniform(0.5, 2, layer.channels) for name in names}
    return {}


def by_torch(layer: Layer, x: torch.Tensor, w: dict[str, torch.Tensor], training: bool) -> torch.Tensor:
    match layer:
        case Conv2d():
            return F.conv2d(x, w["l.weight"], w.get("l.bias"), layer.stride, layer.padding, groups=layer.groups)
        case Dense():
            return F.linear(x, w["l.weight"], w.get("l.bias"))
        case BatchNorm():
            running = w["l.running_mean"], w["l.running_var"]
            return F.batch_norm(x, *running, w["l.weight"], w["l.bias"], training, layer.momentum, layer.epsilon)
        case MaxPool():
            return F.max_pool2d(x, layer.kernel, layer.stride, layer.padding)
        case AveragePool():
            return F.avg_pool2d(x, layer.kernel, layer.stride)
        case GlobalAveragePool():
            return x.mean((2, 3))
        case Flatten():
            return x.flatten(1)
        case ReLU():
            return F.relu(x)
        case SiLU():
            return F.silu(x)
    raise TypeError(layer)


def check_against_torch(layer: Layer, x: np.ndarray, weights: dict[str, np.ndarray], training: bool) -> None:
    state = Pass({name: value.copy() for name, value in weights.items()}, training, exact)
    y, backward = forward(layer, "l", x, state)
    theirs = {n: torch.tensor(w, requires_grad="running" not in n) for n, w in weights.items()}
    x_theirs = torch.tensor(x, requires_grad=True)
    y_theirs = by_torch(layer, x_theirs, theirs, training)
    np.testing.assert_allclose(y, y_theirs.detach().numpy(), rtol=1e-12, atol=1e-12)
    dy = np.random.default_rng(1).normal(size=y.shape)
    y_theirs.backward(torch.tensor(dy))
    np.testing.assert_allclose(backward(dy), x_theirs.grad.numpy(), rtol=1e-9, atol=1e-10)
    trained = {name: w.grad.numpy() for name, w in theirs.items() if w.requires_grad}
    assert state.gradients.keys() == trained.keys()
    for name, gradient in trained.items():
        np.testing.assert_allclose(state.gradients[name], gradient, rtol=1e-9, atol=1e-10)
    if isinstance(layer, BatchNorm) and training:
        count = x.size // layer.channels
        for name in ("l.running_mean", "l.running_var"):
            expected = theirs[name].numpy()
            if name == "l.running_var" and layer.running_variance == "biased":
                kept = (1 - layer.momentum) * weights[name]
                expected = kept + (expected - kept) * (count - 1) / count
            np.testing.assert_allclose(state.statistics[name], expected, rtol=1e-12)


def check_against_differences(layer: Layer, x: np.ndarray, weights: dict[str, np.ndarray], training: bool) -> None:
    """The gradient of sum(y * probe) along a random direction in every input and weight at once."""
    rng = np.random.default_rng(2)
    state = Pass(weights, training, exact)
    y, backward = forward(layer, "l", x, state)
    probe = rng.normal(size=y.shape)
    dx = backward(probe)
    trained = {name: rng.normal(size=w.shape) for name, w in weights.items() if "running" not in name}
    along = rng.normal(size=x.shape)
    predicted = float(np.sum(dx * along) + sum(np.sum(state.gradients[n] * d) for n, d in trained.items()))

    def value(step: float) -> float:
        moved = {name: w + step * trained.get(name, 0.0) for name, w in weights.items()}
        return float(np.sum(forward(layer, "l", x + step * along, Pass(moved, training, exact))[0] * probe))

    step = 1e-5
    found = (value(step) - value(-step)) / (2 * step)
    assert found == pytest.approx(predicted, rel=1e-5, abs=1e-5)


def spread_out(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Values no two of which are close, and none close to 0: no ReLU or maximum changes within a small step."""
    rng = np.random.default_rng(seed)
    count = int(np.prod(shape))
    values = (np.arange(count) + 0.5) * np.where(rng.random(count) < 0.5, -1.0, 1.0) / max(count, 8) * 2
    return rng.permutation(values).reshape(shape)


CASES = st.one_of(convolutions(), pools(), others())


@settings(max_examples=150)
@given(CASES, st.booleans(), st.integers(0, 2**32))
def test_layers_agree_with_torch_and_with_finite_differences(case: Case, training: bool, seed: int):
    layer, shape = case
    if isinstance(layer, BatchNorm) and np.prod(shape) // layer.channels < 2:
        training = False
    x, weights = spread_out(shape, seed), tensors(layer, np.random.default_rng(seed))
    check_against_torch(layer, x, weights, training)
    check_against_differences(layer, x, weights, training)


def test_ties_in_a_maximum_give_the_gradient_to_the_first_in_row_order():
    y, backward = forward(MaxPool(2, 2), "", np.zeros((1, 1, 2, 2)), Pass({}, True, exact))
    assert y.tolist() == [[[[0.0]]]]
    assert backward(np.ones((1, 1, 1, 1))).tolist() == [[[[1.0, 0.0], [0.0, 0.0]]]]


def test_the_gradient_of_relu_at_zero_is_zero():
    _, backward = forward(ReLU(), "", np.array([[-1.0, 0.0, 1.0]]), Pass({}, True, exact))
    assert backward(np.ones((1, 3))).tolist() == [[0.0, 0.0, 1.0]]


def test_an_unknown_layer_is_named():
    with pytest.raises(TypeError, match="knows no layer object"):
        forward(object(), "", np.zeros((1, 1)), Pass({}, True, exact))
