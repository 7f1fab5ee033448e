"""The spec lowered into PyTorch, shared by ``cpu`` and ``cuda``: a table from layer type to function, and one loop.

Everything is functional: tensors live in a dictionary under their canonical names. Activations are channels_last, which is
how uint8 NHWC images arrive, so staging never transposes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

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
    trainable,
)

Tensors = Mapping[str, torch.Tensor]
Logits = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Numerics:
    """``state`` holds weights, statistics and loss; ``operand`` feeds convolutions and dense layers."""

    state: torch.dtype
    operand: torch.dtype


def numerics(precision: str) -> Numerics:
    """The dtypes of one of the contract's precisions (tf32 is a mode of fp32 arithmetic, set by ``set_tf32``)."""
    if precision == "float64":
        return Numerics(torch.float64, torch.float64)
    return Numerics(torch.float32, torch.bfloat16 if precision == "bf16" else torch.float32)


def set_tf32(enabled: bool) -> None:
    """Say explicitly whether fp32 convolutions and products may round to tf32; never leave it ambient."""
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False  # the contract accumulates in fp32
    mode = "tf32" if enabled else "ieee"
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # PyTorch 2.9 and newer
        torch.backends.cuda.matmul.fp32_precision = mode
        torch.backends.cudnn.conv.fp32_precision = mode  # type: ignore[attr-defined]
    else:
        torch.backends.cuda.matmul.allow_tf32 = enabled
        torch.backends.cudnn.allow_tf32 = enabled


def load(weights: Weights, device: torch.device, dtype: torch.dtype, train: bool) -> dict[str, torch.Tensor]:
    """Tensors on the device, convolution kernels channels_last; trainable ones require gradients when ``train``."""
    tensors = {}
    for name, value in weights.items():
        tensor = torch.from_numpy(np.array(value)).to(device, dtype)
        if tensor.ndim == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        tensors[name] = tensor.requires_grad_(train and trainable(name))
    return tensors


def unload(tensors: Tensors) -> Weights:
    """NumPy copies in canonical layout."""
    return {name: t.detach().cpu().contiguous().numpy().copy() for name, t in tensors.items()}


def lower(network: Network, tensors: Tensors, kinds: Numerics, training: bool) -> Logits:
    """A function from uint8 NHWC images on the device to logits (batch, classes) in the state dtype."""
    device = next(iter(tensors.values())).device
    mean, std = (torch.tensor(v, dtype=kinds.state, device=device).view(1, 3, 1, 1) for v in (network.mean, network.std))
    scale, shift = 1.0 / (255.0 * std), -mean / std
    body = _lower(network.body, "", tensors, kinds, training)

    def logits(images: torch.Tensor) -> torch.Tensor:
        x = images.permute(0, 3, 1, 2).to(kinds.state)  # a view: NHWC memory is channels_last
        return body(x.mul_(scale).add_(shift)).to(kinds.state)

    return logits


def _lower(layer: Layer, path: str, tensors: Tensors, kinds: Numerics, training: bool) -> Logits:
    if isinstance(layer, Sequential):
        parts = [_lower(part, join(path, name), tensors, kinds, training) for name, part in layer.layers]

        def sequential(x: torch.Tensor) -> torch.Tensor:
            for part in parts:
                x = part(x)
            return x

        return sequential
    if isinstance(layer, Residual):
        body = _lower(layer.body, join(path, "body"), tensors, kinds, training)
        if layer.shortcut is None:
            return lambda x: body(x) + x
        shortcut = _lower(layer.shortcut, join(path, "shortcut"), tensors, kinds, training)
        return lambda x: body(x) + shortcut(x)
    make = _TABLE.get(type(layer))
    if make is None:
        raise UnsupportedLayer(f"PyTorch lowering has no {type(layer).__name__} ('{path}')")
    own = {name.rsplit(".", 1)[-1]: t for name, t in tensors.items() if name.rsplit(".", 1)[0] == path}
    return make(layer, own, kinds, training)


def _conv(layer: Conv2d, own: Tensors, kinds: Numerics, training: bool) -> Logits:
    weight, bias = own["weight"], own.get("bias")

    def conv(x: torch.Tensor) -> torch.Tensor:
        b = None if bias is None else bias.to(kinds.operand)
        operands = x.to(kinds.operand), weight.to(kinds.operand)
        return F.conv2d(*operands, b, layer.stride, layer.padding, groups=layer.groups)

    return conv


def _dense(layer: Dense, own: Tensors, kinds: Numerics, training: bool) -> Logits:
    weight, bias = own["weight"], own.get("bias")

    def dense(x: torch.Tensor) -> torch.Tensor:
        return F.linear(x.to(kinds.operand), weight.to(kinds.operand), None if bias is None else bias.to(kinds.operand))

    return dense


def _batch_norm(layer: BatchNorm, own: Tensors, kinds: Numerics, training: bool) -> Logits:
    if layer.running_variance != "unbiased":
        raise UnsupportedLayer("PyTorch lowering has no BatchNorm with a biased running variance")
    w, b, mean, var = (own[name] for name in ("weight", "bias", "running_mean", "running_var"))
    return lambda x: F.batch_norm(x, mean, var, w, b, training, layer.momentum, layer.epsilon)


_TABLE: dict[type, Callable[..., Logits]] = {
    Conv2d: _conv,
    Dense: _dense,
    BatchNorm: _batch_norm,
    ReLU: lambda layer, *_: F.relu,
    SiLU: lambda layer, *_: F.silu,
    MaxPool: lambda layer, *_: lambda x: F.max_pool2d(x, layer.kernel, layer.stride, layer.padding),
    AveragePool: lambda layer, *_: lambda x: F.avg_pool2d(x, layer.kernel, layer.stride),
    GlobalAveragePool: lambda layer, own, kinds, *_: lambda x: x.to(kinds.state).mean((2, 3)),
    Flatten: lambda layer, *_: lambda x: x.flatten(1),
}
