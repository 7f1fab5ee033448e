"""The spec lowered into PyTorch, shared by ``cpu`` and ``cuda``: a table from layer type to function, and one loop.

Everything is functional: tensors live in a dictionary under their canonical names. Activations are channels_last, which is
how uint8 NHWC images arrive, so staging never transposes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F

from backends.fusion import Leaf, Norm, Operation, Sum, operations
from backends.torch_norm import FusedNorm
from backends.torch_patches import GatheredConv, gathers, output_size
from bench.contract import UnsupportedLayer
from bench.spec import (
    AveragePool,
    Conv2d,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Network,
    ReLU,
    SiLU,
    Weights,
    trainable,
)

Value = TypeVar("Value")
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
    """Say explicitly whether fp32 convolutions and products may round to tf32; never leave it ambient.

    PyTorch has an old and, from 2.9 on, a new set of switches. A reader of one set raises RuntimeError where the other set says
    something else, and Inductor reads both. Every switch is therefore set, the old ones first: they change some of the new ones.
    """
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False  # the contract accumulates in fp32
    torch.set_float32_matmul_precision("high" if enabled else "highest")  # also cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = enabled
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # PyTorch 2.9 and newer
        cuda, cudnn, mkldnn = torch.backends.cuda, torch.backends.cudnn, torch.backends.mkldnn
        parts: tuple[Any, ...] = (cuda.matmul, *_parts(cudnn, "conv", "rnn"), *_parts(mkldnn, "matmul", "conv", "rnn"))
        for switch in (torch.backends, cudnn, mkldnn, *parts):
            switch.fp32_precision = "tf32" if enabled else "ieee"


def _parts(library: Any, *names: str) -> list[Any]:
    """The library's switches of these operations, where this PyTorch has them."""
    return [getattr(library, name) for name in names if hasattr(library, name)]


def load(weights: Weights, device: torch.device, dtype: torch.dtype, train: bool) -> dict[str, torch.Tensor]:
    """Tensors on the device; trainable ones require gradients when ``train``. Convolution kernels are kept (out, height, width, in):
    what channels_last is in memory, but contiguous, for the fused optimizers copy tensors that are not."""
    tensors = {}
    for name, value in weights.items():
        array = np.array(value)
        tensor = torch.from_numpy(np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array)
        tensors[name] = tensor.to(device, dtype).requires_grad_(train and trainable(name))
    return tensors


def unload(tensors: Tensors) -> Weights:
    """NumPy copies in canonical layout."""
    host = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    return {name: (value.transpose(0, 3, 1, 2) if value.ndim == 4 else value).copy() for name, value in host.items()}


def lower(network: Network, tensors: Tensors, kinds: Numerics, training: bool, compiled_norms: bool = False) -> Logits:
    """A function from uint8 NHWC images on the device to logits (batch, classes) in the state dtype."""
    body = _chain(operations(network), _Place(tensors, kinds, training, compiled_norms))
    normalised = normaliser(network, next(iter(tensors.values())).device, kinds.state)

    def logits(images: torch.Tensor) -> torch.Tensor:
        return body(normalised(images)).to(kinds.state)

    return logits


def normaliser(network: Network, device: torch.device, dtype: torch.dtype) -> Logits:
    """A function from uint8 NHWC images to the network's input (batch, 3, height, width), channels_last."""
    mean, std = (torch.tensor(v, dtype=dtype, device=device).view(1, 3, 1, 1) for v in (network.mean, network.std))
    scale, shift = 1.0 / (255.0 * std), -mean / std

    def normalised(images: torch.Tensor) -> torch.Tensor:
        x = images.permute(0, 3, 1, 2).to(dtype)  # a view: NHWC memory is channels_last
        return x.mul_(scale).add_(shift)

    return normalised


@dataclass(frozen=True)
class _Place:
    """What every operation is lowered with."""

    tensors: Tensors
    kinds: Numerics
    training: bool
    compiled_norms: bool


def own(tensors: Mapping[str, Value], path: str) -> dict[str, Value]:
    """A layer's tensors under their last names."""
    return {name.rsplit(".", 1)[-1]: value for name, value in tensors.items() if name.rsplit(".", 1)[0] == path}


def _chain(parts: Sequence[Operation], place: _Place) -> Logits:
    return in_order([_lower(part, place) for part in parts])


def in_order(functions: Sequence[Logits]) -> Logits:
    """One function after the other."""

    def chain(x: torch.Tensor) -> torch.Tensor:
        for function in functions:
            x = function(x)
        return x

    return chain


def _lower(part: Operation, place: _Place) -> Logits:
    match part:
        case Norm():
            norm = _norm(part, place)
            return lambda x: norm(x, None, part.relu)
        case Sum():
            return _sum(part, place)
        case Leaf():
            return lower_leaf(part, own(place.tensors, part.path), place.kinds)


def lower_leaf(part: Leaf, own: Tensors, kinds: Numerics) -> Logits:
    """A layer by itself; ``own`` are its tensors under their last names. Raises UnsupportedLayer."""
    make = _TABLE.get(type(part.layer))
    if make is None:
        raise UnsupportedLayer(f"PyTorch lowering has no {type(part.layer).__name__} ('{part.path}')")
    return make(part.layer, own, kinds)


def _sum(part: Sum, place: _Place) -> Logits:
    shortcut = _chain(part.shortcut, place)
    last = part.body[-1] if part.body else None
    if isinstance(last, Norm) and not last.relu:
        body, norm = _chain(part.body[:-1], place), _norm(last, place)
        return lambda x: norm(body(x), shortcut(x), part.relu)
    body = _chain(part.body, place)
    if part.relu:
        return lambda x: torch.relu_(body(x) + shortcut(x))
    return lambda x: body(x) + shortcut(x)


NormFunction = Callable[[torch.Tensor, torch.Tensor | None, bool], torch.Tensor]


def _norm(part: Norm, place: _Place) -> NormFunction:
    """BatchNorm of the first argument, plus the second where there is one, through ReLU where the third says so."""
    layer, tensors = part.layer, own(place.tensors, part.path)
    if layer.running_variance != "unbiased":
        raise UnsupportedLayer("PyTorch lowering has no BatchNorm with a biased running variance")
    w, b, mean, var = (tensors[name] for name in ("weight", "bias", "running_mean", "running_var"))

    def norm(x: torch.Tensor, other: torch.Tensor | None, relu: bool) -> torch.Tensor:
        # In place: BatchNorm's gradient needs its input, not its output.
        y = F.batch_norm(x, mean, var, w, b, place.training, layer.momentum, layer.epsilon)
        if other is not None:
            y = y.add_(other)
        return torch.relu_(y) if relu else y

    def fused(x: torch.Tensor, other: torch.Tensor | None, relu: bool) -> torch.Tensor:
        if x.ndim != 4:
            return norm(x, other, relu)
        y: torch.Tensor = FusedNorm.apply(x, other, w, b, mean, var, layer.momentum, layer.epsilon, relu)
        return y

    return fused if place.compiled_norms else norm


def _conv(layer: Conv2d, own: Tensors, kinds: Numerics) -> Logits:
    weight, bias = own["weight"], own.get("bias")

    def conv(x: torch.Tensor) -> torch.Tensor:
        x, kernels = x.to(kinds.operand), weight.to(kinds.operand)
        b = None if bias is None else bias.to(kinds.operand)
        rows = len(x) * output_size(layer, x.shape[2]) * output_size(layer, x.shape[3])
        if x.device.type == "cpu" and gathers(layer, rows):
            y: torch.Tensor = GatheredConv.apply(x, kernels, layer)
            return y if b is None else y + b.view(1, -1, 1, 1)
        return F.conv2d(x, kernels.permute(0, 3, 1, 2), b, layer.stride, layer.padding, groups=layer.groups)

    return conv


def _dense(layer: Dense, own: Tensors, kinds: Numerics) -> Logits:
    weight, bias = own["weight"], own.get("bias")

    def dense(x: torch.Tensor) -> torch.Tensor:
        return F.linear(x.to(kinds.operand), weight.to(kinds.operand), None if bias is None else bias.to(kinds.operand))

    return dense


_TABLE: dict[type, Callable[..., Logits]] = {
    Conv2d: _conv,
    Dense: _dense,
    ReLU: lambda layer, *_: F.relu,
    SiLU: lambda layer, *_: F.silu,
    MaxPool: lambda layer, *_: lambda x: F.max_pool2d(x, layer.kernel, layer.stride, layer.padding),
    AveragePool: lambda layer, *_: lambda x: F.avg_pool2d(x, layer.kernel, layer.stride),
    GlobalAveragePool: lambda layer, own, kinds: lambda x: x.to(kinds.state).mean((2, 3)),
    Flatten: lambda layer, *_: lambda x: x.flatten(1),
}
