"""Inference with frozen weights: BatchNorm folded into the convolution before it and, on the host, one oneDNN graph.

oneDNN's graph compiler keeps weights packed, fuses sums and ReLUs into convolutions and costs 5 us a call, where the same
convolution called from Python costs 28: 0.6 of the 1.4 ms that a single image took in bf16. TorchScript is the door to it.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from backends.fusion import Leaf, Norm, Operation, Sum, operations
from backends.torch_lowering import Logits, Numerics, in_order, lower_leaf, normaliser, own
from backends.torch_patches import gathers, output_size, patches
from bench.spec import Conv2d, Network, Weights, join

GATHERED_BATCH, GATHERED_SHARE = 4, 4
"""oneDNN reads a convolution's kernels anew for each image. Without gradients, patches pay from so many images on, while their
matrix is so many times as wide as it is high."""


def freeze(network: Network, weights: Weights, device: torch.device, kinds: Numerics) -> Logits:
    """A function from uint8 NHWC images on the device to probabilities (batch, classes) in the state dtype."""
    normalised = normaliser(network, device, kinds.state)
    body = _chain(operations(network), _Folding(weights, device, kinds))
    return lambda images: torch.softmax(body(normalised(images).to(kinds.operand)).to(kinds.state), dim=1)


def as_graph(probabilities: Logits, network: Network, batch_size: int) -> Logits:
    """What ``freeze`` gives for the host, as one oneDNN graph for one batch size."""
    blank = torch.zeros(batch_size, network.height, network.width, 3, dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript announces its retirement, and tracing that shapes are constant
        torch.jit.enable_onednn_fusion(True)
        graph: Logits = torch.jit.freeze(torch.jit.trace(_Graph(probabilities).eval(), blank, check_trace=False))
        for _ in range(3):  # two runs to see the shapes, one to build
            graph(blank)
    _ALIVE.add(graph)
    weakref.finalize(graph, _forget).atexit = False
    return graph


_ALIVE: weakref.WeakSet[Logits] = weakref.WeakSet()


def _forget() -> None:
    """Give back what dropped graphs leave behind.

    TorchScript keeps the weights of every module it has seen (twice their size, measured) until its registries are cleared, and
    PyTorch has no public name for that. Graphs still in use would lose their methods, so it waits until there is none.
    """
    if not _ALIVE:
        torch._C._jit_clear_class_registry()
        torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()
        torch.jit._state._clear_class_state()


class _Graph(torch.nn.Module):
    """What TorchScript traces."""

    def __init__(self, function: Logits) -> None:
        super().__init__()
        self._function = function

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """From images to probabilities."""
        return self._function(images)


@dataclass
class _Folding:
    """Weights in float64 on their way to the device."""

    weights: Weights
    device: torch.device
    kinds: Numerics

    def put(self, value: np.ndarray) -> torch.Tensor:
        """In the operands' dtype, kernels channels_last."""
        tensor = torch.from_numpy(np.ascontiguousarray(value)).to(self.device, self.kinds.operand)
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor

    def wide(self, *names: str) -> np.ndarray:
        """One tensor in float64."""
        return np.asarray(self.weights[join(*names)], np.float64)


def _chain(parts: Sequence[Operation], folding: _Folding) -> Logits:
    functions: list[Logits] = []
    rest = list(parts)
    while rest:
        part = rest.pop(0)
        if isinstance(part, Leaf) and isinstance(part.layer, Conv2d):
            following = rest.pop(0) if rest and isinstance(rest[0], Norm) else None
            functions.append(_conv(part, part.layer, following if isinstance(following, Norm) else None, folding))
        else:
            functions.append(_lower(part, folding))
    return in_order(functions)


def _lower(part: Operation, folding: _Folding) -> Logits:
    match part:
        case Norm():
            return _affine(part, folding)
        case Sum():
            body, shortcut = _chain(part.body, folding), _chain(part.shortcut, folding)
            if part.relu:
                return lambda x: torch.relu(body(x) + shortcut(x))
            return lambda x: body(x) + shortcut(x)
        case Leaf():
            tensors = {name: folding.put(value) for name, value in own(folding.weights, part.path).items()}
            return lower_leaf(part, tensors, folding.kinds)


def _scale_and_shift(norm: Norm, folding: _Folding) -> tuple[np.ndarray, np.ndarray]:
    scale = folding.wide(norm.path, "weight") / np.sqrt(folding.wide(norm.path, "running_var") + norm.layer.epsilon)
    return scale, folding.wide(norm.path, "bias") - folding.wide(norm.path, "running_mean") * scale


def _affine(norm: Norm, folding: _Folding) -> Logits:
    """BatchNorm that no convolution precedes."""
    dtype = folding.kinds.state
    scale, shift = (torch.from_numpy(v).to(folding.device, dtype) for v in _scale_and_shift(norm, folding))

    def affine(x: torch.Tensor) -> torch.Tensor:
        shape = (1, -1) + (1,) * (x.ndim - 2)
        y = (x.to(dtype) * scale.view(shape) + shift.view(shape)).to(x.dtype)
        return torch.relu(y) if norm.relu else y

    return affine


def _conv(part: Leaf, layer: Conv2d, norm: Norm | None, folding: _Folding) -> Logits:
    kernels = folding.wide(part.path, "weight")
    bias = folding.wide(part.path, "bias") if layer.bias else np.zeros(layer.out_channels)
    if norm is not None:
        scale, shift = _scale_and_shift(norm, folding)
        kernels, bias = kernels * scale[:, None, None, None], bias * scale + shift
    weight, b = folding.put(kernels), folding.put(bias)
    flat = weight.permute(0, 2, 3, 1).reshape(layer.out_channels, -1)
    relu: Callable[[torch.Tensor], torch.Tensor] = torch.relu if norm is not None and norm.relu else lambda x: x

    def conv(x: torch.Tensor) -> torch.Tensor:
        rows, columns = output_size(layer, x.shape[2]), output_size(layer, x.shape[3])
        pixels = x.shape[0] * rows * columns
        if x.device.type == "cpu" and len(x) >= GATHERED_BATCH and gathers(layer, GATHERED_SHARE * pixels):
            gathered = patches(x.permute(0, 2, 3, 1), layer.kernel, layer.stride, layer.padding)
            y = F.linear(gathered, flat, b).view(x.shape[0], rows, columns, -1).permute(0, 3, 1, 2)
        else:
            y = F.conv2d(x, weight, b, layer.stride, layer.padding, groups=layer.groups)
        return relu(y)

    return conv
