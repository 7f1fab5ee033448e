"""A network's tensors by name: their shapes, which are trained, and which of them weight decay touches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.spec.layers import BatchNorm, Conv2d, Dense, Network
from bench.spec.shapes import Node, join, walk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Weights = Mapping[str, "NDArray[np.floating]"]
"""Canonical tensor name to array in canonical layout."""

_STATISTICS = ("running_mean", "running_var")


def trainable(name: str) -> bool:
    """Whether the tensor is trained (BatchNorm's running statistics are not)."""
    return name.rsplit(".", 1)[-1] not in _STATISTICS


def decays(network: Network) -> frozenset[str]:
    """Names of the tensors weight decay touches when ``decay_all`` is False: weights of Conv2d and Dense."""
    return frozenset(join(node.path, "weight") for node in walk(network) if isinstance(node.layer, Conv2d | Dense))


def tensor_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Canonical name to shape of every tensor, in forward order."""
    nodes = walk(network)
    return {join(node.path, name): shape for node in nodes for name, shape in layer_tensors(node).items()}


def layer_tensors(node: Node) -> dict[str, tuple[int, ...]]:
    """Name inside the layer to shape of each of its tensors."""
    layer = node.layer
    if isinstance(layer, Conv2d):
        shape = (layer.out_channels, layer.in_channels // layer.groups, layer.kernel, layer.kernel)
        return {"weight": shape} | ({"bias": (layer.out_channels,)} if layer.bias else {})
    if isinstance(layer, Dense):
        return {"weight": (layer.out_features, layer.in_features)} | ({"bias": (layer.out_features,)} if layer.bias else {})
    if isinstance(layer, BatchNorm):
        return dict.fromkeys(("weight", "bias", *_STATISTICS), (layer.channels,))
    return {}
