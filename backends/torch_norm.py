"""BatchNorm, the sum of a residual and ReLU in as few passes over memory as training allows, compiled by torch.compile.

Large activations do not stay in a processor's caches: by the times of PyTorch's own kernels one by one, a ResNet-50 step at 224x224 in
bf16 spends about a third of its time reading and writing them. Forward is one pass for the moments and one for everything else, backward one for the sums
and one for the gradient. Statistics are fp32 sums of deviations from each channel's first pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch

Tensors = tuple[torch.Tensor, ...]


def _moments(x: torch.Tensor) -> Tensors:
    """Mean and biased variance (channels,) of x (lines, pixels, channels)."""
    pivot = x[0, 0].float()
    deviation = x.float() - pivot
    count = x.shape[0] * x.shape[1]
    # Lines first, then over lines: a line fits the first cache, and lines are shared out among the cores.
    shift = deviation.sum(1).sum(0) / count
    square = (deviation * deviation).sum(1).sum(0) / count
    return pivot + shift, square - shift * shift


def _plain(x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    return (x.float() * scale + shift).to(x.dtype)


def _relu(x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    return torch.relu(x.float() * scale + shift).to(x.dtype)


def _add(x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (x.float() * scale + shift + other.float()).to(x.dtype)


def _add_relu(x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.relu(x.float() * scale + shift + other.float()).to(x.dtype)


def _sums(g: torch.Tensor, x: torch.Tensor, mean: torch.Tensor, inverse: torch.Tensor) -> Tensors:
    """The gradients of shift and scale."""
    wide = g.float()
    return wide.sum(1).sum(0), (wide * ((x.float() - mean) * inverse)).sum(1).sum(0)


def _sums_relu(
    g: torch.Tensor, x: torch.Tensor, mean: torch.Tensor, inverse: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor
) -> Tensors:
    wide = torch.where(x.float() * scale + shift > 0, g.float(), 0.0)
    return wide.sum(1).sum(0), (wide * ((x.float() - mean) * inverse)).sum(1).sum(0)


def _sums_add_relu(g: torch.Tensor, y: torch.Tensor, x: torch.Tensor, mean: torch.Tensor, inverse: torch.Tensor) -> Tensors:
    """And the gradient of what was added."""
    passed = torch.where(y > 0, g, 0.0)
    wide = passed.float()
    return wide.sum(1).sum(0), (wide * ((x.float() - mean) * inverse)).sum(1).sum(0), passed


def _back(g: torch.Tensor, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    return (g.float() * a + x.float() * b + c).to(x.dtype)


def _back_relu(
    g: torch.Tensor,
    x: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    c: torch.Tensor,
    scale: torch.Tensor,
    shift: torch.Tensor,
) -> torch.Tensor:
    wide = x.float()
    return (torch.where(wide * scale + shift > 0, g.float(), 0.0) * a + wide * b + c).to(x.dtype)


_COMPILED: dict[Callable[..., Any], Callable[..., Any]] = {}


def _run(function: Callable[..., Any], *arguments: torch.Tensor) -> Any:
    """The compiled form; shapes are symbols, so that one program serves every layer."""
    if function not in _COMPILED:
        _COMPILED[function] = torch.compile(function, dynamic=True, fullgraph=True)
    return _COMPILED[function](*arguments)


def _lines(x: torch.Tensor) -> torch.Tensor:
    """(batch, channels, height, width) to (batch * height, width, channels): a view where x is channels_last."""
    nhwc = x.detach().permute(0, 2, 3, 1)  # compiling looks at .grad, and warns of one that is nobody's leaf
    return nhwc.reshape(-1, nhwc.shape[2], nhwc.shape[3])


class FusedNorm(torch.autograd.Function):
    """Training's BatchNorm of x, plus ``other`` where it is given, through ReLU where ``relu``; moves the running statistics."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        other: torch.Tensor | None,
        weight: torch.Tensor,
        bias: torch.Tensor,
        running_mean: torch.Tensor,
        running_var: torch.Tensor,
        momentum: float,
        epsilon: float,
        relu: bool,
    ) -> torch.Tensor:
        """Two passes over x."""
        lines = _lines(x)
        mean, variance = _run(_moments, lines)
        count = lines.shape[0] * lines.shape[1]
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / (count - 1)), momentum)
        inverse = torch.rsqrt(variance + epsilon)
        scale = inverse * weight
        shift = bias - mean * scale
        ctx.relu, ctx.added = relu, other is not None
        if other is not None:
            y = _run(_add_relu if relu else _add, lines, scale, shift, _lines(other))
        else:
            y = _run(_relu if relu else _plain, lines, scale, shift)
        ctx.save_for_backward(lines, weight, mean, inverse, scale, shift, y if relu and other is not None else None)
        batch, channels, height, width = x.shape
        return cast(torch.Tensor, y).view(batch, height, width, channels).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Two passes over x and the gradient: of the input ``a g + b x + c`` with coefficients per channel (Ioffe and Szegedy 2015,
        arXiv:1502.03167, section 3)."""
        x, weight, mean, inverse, scale, shift, y = ctx.saved_tensors
        g = _lines(gradients[0])
        masked = ctx.relu and not ctx.added
        if masked:
            of_shift, of_scale = _run(_sums_relu, g, x, mean, inverse, scale, shift)
        elif ctx.relu:
            of_shift, of_scale, g = _run(_sums_add_relu, g, y, x, mean, inverse)
        else:
            of_shift, of_scale = _run(_sums, g, x, mean, inverse)
        count = x.shape[0] * x.shape[1]
        a = inverse * weight
        b = -a * inverse * of_scale / count
        c = -a * of_shift / count - b * mean
        of_x = _run(_back_relu, g, x, a, b, c, scale, shift) if masked else _run(_back, g, x, a, b, c)
        batch, channels, height, width = gradients[0].shape

        def images(lines: torch.Tensor) -> torch.Tensor:
            return lines.view(batch, height, width, channels).permute(0, 3, 1, 2)

        return images(of_x), images(g) if ctx.added else None, of_scale, of_shift, None, None, None, None, None
