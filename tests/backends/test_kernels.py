"""The backends' own kernels against the frameworks': values and gradients in float64, on every geometry that networks use."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax import lax

from backends import jax_convolution
from backends.fusion import Leaf, Norm, Sum, operations
from backends.jax_convolution import host_convolution, host_max_pool, native
from backends.jax_norm import host_batch_norm
from backends.torch_frozen import as_graph, freeze
from backends.torch_lowering import numerics
from backends.torch_norm import FusedNorm
from backends.torch_patches import GatheredConv, gathers
from bench.spec import BatchNorm, Conv2d, Dense, Flatten, MaxPool, Network, ReLU, Residual, Sequential, sequential
from bench.spec.weights import initial_weights
from tests.support.compiler import needs_compiler

pytestmark = pytest.mark.slow

jax.config.update("jax_enable_x64", True)

HIGHEST = lax.Precision.HIGHEST


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Conv2d, int, int, int]:
    """A convolution, and a batch that it can take: images, height, width."""
    kernel, stride = draw(st.sampled_from([1, 2, 3, 5])), draw(st.integers(1, 3))
    layer = Conv2d(draw(st.integers(1, 5)), draw(st.integers(1, 5)), kernel, stride, draw(st.integers(0, kernel // 2)))
    least = max(1, kernel - 2 * layer.padding)
    return layer, draw(st.sampled_from([1, 3, 8])), draw(st.integers(least, 9)), draw(st.integers(least, 9))


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


@settings(max_examples=60)
@given(convolutions())
def test_gathered_patches_compute_the_convolution_and_its_gradients(drawn: tuple[Conv2d, int, int, int]):
    layer, batch, height, width = drawn
    x = torch.from_numpy(random(batch, height, width, layer.in_channels)).permute(0, 3, 1, 2).requires_grad_()
    weight = torch.from_numpy(random(layer.out_channels, layer.kernel, layer.kernel, layer.in_channels)).requires_grad_()
    expected = F.conv2d(x, weight.permute(0, 3, 1, 2), None, layer.stride, layer.padding)
    found = GatheredConv.apply(x, weight, layer)
    torch.testing.assert_close(found, expected)
    g = torch.from_numpy(random(*expected.shape))
    torch.testing.assert_close(torch.autograd.grad(found, (x, weight), g), torch.autograd.grad(expected, (x, weight), g))


@settings(max_examples=8)  # each compiles anew
@given(convolutions(), st.sampled_from([0, 2**30]), st.sampled_from([0, 64]))
@example((Conv2d(5, 4, 3, 1, 1), 3, 9, 7), 0, 64)
@example((Conv2d(2, 3, 5, 1, 0), 8, 6, 9), 0, 64)
@example((Conv2d(1, 2, 3, 1, 1), 8, 9, 9), 0, 0)
def test_the_host_convolution_is_that_of_xla_and_so_are_its_gradients(
    drawn: tuple[Conv2d, int, int, int], large: int, narrow: int
):
    layer, batch, height, width = drawn
    x = jnp.asarray(random(batch, height, width, layer.in_channels))
    weight = jnp.asarray(random(layer.kernel, layer.kernel, layer.in_channels, layer.out_channels))
    with pytest.MonkeyPatch.context() as patch:  # 0: all are large, and worked off in pieces
        patch.setattr(jax_convolution, "LARGE_BYTES", large)
        patch.setattr(jax_convolution, "NARROW", narrow)  # 0: XLA's own forward, our gradient of kernels
        g = jnp.asarray(random(*jax.eval_shape(lambda x, w: native(x, w, layer, HIGHEST), x, weight).shape))

        @jax.jit  # one program, where operations one by one would compile dozens
        def both(x: jax.Array, weight: jax.Array, g: jax.Array) -> list[tuple[jax.Array, ...]]:
            ways = []
            for convolve in (host_convolution, native):
                found, back = jax.vjp(lambda x, w, convolve=convolve: convolve(x, w, layer, HIGHEST), x, weight)
                ways.append((found, *back(g)))
            return ways

        for ours, theirs in zip(*both(x, weight, g), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("layer", [MaxPool(3, 2, 1), MaxPool(2, 2, 0), MaxPool(3, 1, 1)], ids=str)
def test_the_host_max_pool_gives_the_gradient_of_equal_values_to_the_first(layer: MaxPool):
    x = np.random.default_rng(0).integers(0, 3, (2, 7, 6, 3)).astype(np.float64)  # full of ties
    tensor = torch.from_numpy(x).permute(0, 3, 1, 2).requires_grad_()
    expected = F.max_pool2d(tensor, layer.kernel, layer.stride, layer.padding)
    found, back = jax.vjp(lambda x: host_max_pool(x, layer), jnp.asarray(x))
    np.testing.assert_array_equal(found, expected.detach().permute(0, 2, 3, 1).numpy())
    g = random(*found.shape)
    (gradient,) = torch.autograd.grad(expected, tensor, torch.from_numpy(g).permute(0, 3, 1, 2))
    np.testing.assert_allclose(back(jnp.asarray(g))[0], gradient.permute(0, 2, 3, 1).numpy(), atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 5, 3, 6), (32, 7)])
def test_the_host_batch_norm_has_the_moments_and_gradients_of_pytorch_far_from_zero_too(shape: tuple[int, ...]):
    x, g = 1e3 + random(*shape), random(*shape)
    weight, bias = random(shape[-1]) + 2, random(shape[-1])
    (found, mean, variance), back = jax.vjp(lambda *values: host_batch_norm(*values, 1e-5), x, weight, bias)
    tensors = [torch.from_numpy(value).requires_grad_() for value in (np.moveaxis(x, -1, 1), weight, bias)]
    expected = F.batch_norm(tensors[0], None, None, tensors[1], tensors[2], True, 0.1, 1e-5)
    np.testing.assert_allclose(np.moveaxis(found, -1, 1), expected.detach().numpy(), rtol=1e-9, atol=1e-9)
    axes = tuple(range(x.ndim - 1))
    np.testing.assert_allclose(mean, x.mean(axes), rtol=1e-12)
    np.testing.assert_allclose(variance, x.var(axes), rtol=1e-9)
    gradients = back((jnp.asarray(g), jnp.zeros_like(mean), jnp.zeros_like(variance)))
    others = torch.autograd.grad(expected, tensors, torch.from_numpy(np.moveaxis(g, -1, 1)))
    np.testing.assert_allclose(np.moveaxis(gradients[0], -1, 1), others[0].numpy(), atol=1e-8)
    for gradient, other in zip(gradients[1:], others[1:], strict=True):
        np.testing.assert_allclose(gradient, other.numpy(), rtol=1e-8, atol=1e-8)


@needs_compiler
@pytest.mark.parametrize("relu", [False, True], ids=["plain", "relu"])
@pytest.mark.parametrize("added", [False, True], ids=["alone", "added"])
def test_compiled_norms_move_statistics_and_pass_gradients_as_pytorch_does(relu: bool, added: bool):
    def tensors() -> list[torch.Tensor]:
        x, other = (torch.from_numpy(random(4, 5, 3, n).astype(np.float32)[..., :6]).permute(0, 3, 1, 2) for n in (6, 7))
        return [t.requires_grad_() for t in (x, other, torch.linspace(0.5, 2, 6), torch.linspace(-1, 1, 6))]

    def plain(
        x: torch.Tensor, other: torch.Tensor | None, w: torch.Tensor, b: torch.Tensor, *state: torch.Tensor
    ) -> torch.Tensor:
        y = F.batch_norm(x, *state, w, b, True, 0.1, 1e-5)
        y = y if other is None else y + other
        return F.relu(y) if relu else y

    def fused(
        x: torch.Tensor, other: torch.Tensor | None, w: torch.Tensor, b: torch.Tensor, *state: torch.Tensor
    ) -> torch.Tensor:
        return FusedNorm.apply(x, other, w, b, *state, 0.1, 1e-5, relu)

    results = []
    for norm in (plain, fused):
        x, other, w, b = tensors()
        state = torch.zeros(6), torch.ones(6)
        y = norm(x, other if added else None, w, b, *state)
        y.backward(torch.from_numpy(random(*y.shape).astype(np.float32)))
        results.append([y.detach(), x.grad, w.grad, b.grad, *state, *([other.grad] if added else [])])
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-5)


def test_only_few_pixels_of_many_channels_are_gathered():
    wide = Conv2d(512, 512, 3, padding=1)
    assert gathers(wide, 32 * 2 * 2)
    assert not gathers(wide, 32 * 14 * 14)
    assert not gathers(replace(wide, kernel=1, padding=0), 1)
    assert not gathers(replace(wide, groups=512), 1)


def test_a_network_is_a_list_of_operations_with_what_is_done_in_the_same_pass():
    block = Residual(sequential(conv=Conv2d(4, 4, 3, padding=1), norm=BatchNorm(4)), None)
    body = sequential(
        norm=BatchNorm(3), relu=ReLU(), stem=Conv2d(3, 4, 1), more=sequential(block=block, relu=ReLU()), last=ReLU()
    )
    head = sequential(flat=Flatten(), head=Dense(64, 2))
    found = operations(Network(4, 4, 2, Sequential((*body.layers, *head.layers))))
    norm, stem, total, last, flat, dense = found
    assert norm == Norm(BatchNorm(3), "norm", relu=True)
    assert isinstance(total, Sum)
    assert total.relu
    assert total.shortcut == ()
    assert [(type(part), part.path) for part in total.body] == [
        (Leaf, "more.block.body.conv"),
        (Norm, "more.block.body.norm"),
    ]
    assert [part.path for part in (stem, last, flat, dense)] == ["stem", "last", "flat", "head"]


def test_graphs_that_are_dropped_give_their_memory_back():
    """TorchScript keeps the weights of every module it has seen, twice; evaluating after each epoch would pile them up."""
    network = Network(8, 8, 2, sequential(flat=Flatten(), wide=Dense(192, 8192), wider=Dense(8192, 512), head=Dense(512, 2)))
    weights, kinds = initial_weights(network, 0), numerics("fp32")
    size = sum(value.nbytes for value in weights.values())

    def build() -> None:
        as_graph(freeze(network, weights, torch.device("cpu"), kinds), network, 4)

    build()
    before = resident()
    for _ in range(8):
        build()
    assert resident() - before < 6 * size  # without giving back: 16 times


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
