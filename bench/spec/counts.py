"""What a network costs, from the spec alone: parameters, floating-point operations, elements of activations moved.

Only convolutions and matrix products are counted, at two operations per multiply-accumulate, as PyTorch's FlopCounterMode
and the roofline literature do; normalisation, activations, pooling and the optimizer are a few per cent and are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from bench.spec.layers import BatchNorm, Conv2d, Dense, Network
from bench.spec.shapes import Node, walk
from bench.spec.tensors import tensor_shapes, trainable


def parameter_count(network: Network) -> int:
    """Trainable parameters; BatchNorm's running statistics are not among them."""
    return sum(prod(shape) for name, shape in tensor_shapes(network).items() if trainable(name))


def forward_flops(network: Network) -> int:
    """Floating-point operations of one image's forward pass."""
    return sum(_node_flops(node) for node in walk(network))


def training_flops(network: Network) -> int:
    """Floating-point operations of one image's forward and backward pass.

    Backward costs each layer one product for its weights' gradient and one for its input's gradient; the layers that read
    the image itself need no input gradient.
    """
    return _in_training(network, _node_flops)


def forward_elements(network: Network) -> int:
    """Elements of activations that one image's forward pass reads and writes at least.

    Each convolution and matrix product reads its input once and writes its output once; everything between them is taken to be
    fused with one of them. Weights, which a batch shares, are not counted.
    """
    return sum(_node_elements(node) for node in walk(network))


def training_elements(network: Network) -> int:
    """Elements of activations that one image's forward and backward pass read and write at least.

    A weights' gradient reads the layer's input and its output's gradient, an input's gradient reads the latter and writes one
    of the former's size: each moves as much as forward does.
    """
    return _in_training(network, _node_elements)


def _node_elements(node: Node) -> int:
    return prod(node.input_shape) + prod(node.output_shape) if _node_flops(node) else 0


def _node_flops(node: Node) -> int:
    layer = node.layer
    if isinstance(layer, Conv2d):
        positions = node.output_shape[1] * node.output_shape[2]
        return 2 * positions * layer.out_channels * (layer.in_channels // layer.groups) * layer.kernel**2
    if isinstance(layer, Dense):
        return 2 * layer.in_features * layer.out_features
    return 0


def _in_training(network: Network, cost: Callable[[Node], int]) -> int:
    """Three times the forward costs, but twice those of the first layer with weights: nothing before it needs a gradient."""
    nodes = list(walk(network))
    first = next((node for node in nodes if isinstance(node.layer, Conv2d | Dense | BatchNorm)), None)
    return sum(cost(node) * (2 if node is first else 3) for node in nodes)
