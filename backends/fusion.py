"""A network as a list of operations, each with what can be computed in the same pass: BatchNorm with its ReLU, a residual's sum
with both. Every lowering that fuses reads this list; none has to know the tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.spec import BatchNorm, Layer, Network, ReLU, Residual, Sequential, join


@dataclass(frozen=True)
class Leaf:
    """A layer by itself."""

    layer: Layer
    path: str


@dataclass(frozen=True)
class Norm:
    """BatchNorm, and ReLU where one follows."""

    layer: BatchNorm
    path: str
    relu: bool


@dataclass(frozen=True)
class Sum:
    """A residual: what the body gives plus what the shortcut gives, and ReLU where one follows; an empty part is identity."""

    body: tuple[Operation, ...]
    shortcut: tuple[Operation, ...]
    relu: bool


Operation = Leaf | Norm | Sum


def operations(network: Network) -> tuple[Operation, ...]:
    """The network's operations in order."""
    return _fused(network.body, "")


def _fused(layer: Layer, path: str) -> tuple[Operation, ...]:
    layers = list(_flat(layer, path))
    found: list[Operation] = []
    while layers:
        first, where = layers.pop(0)
        if isinstance(first, BatchNorm | Residual):
            relu = bool(layers) and isinstance(layers[0][0], ReLU)
            if relu:
                layers.pop(0)
            found.append(Norm(first, where, relu) if isinstance(first, BatchNorm) else _sum(first, where, relu))
        else:
            found.append(Leaf(first, where))
    return tuple(found)


def _sum(layer: Residual, path: str, relu: bool) -> Sum:
    shortcut = () if layer.shortcut is None else _fused(layer.shortcut, join(path, "shortcut"))
    return Sum(_fused(layer.body, join(path, "body")), shortcut, relu)


def _flat(layer: Layer, path: str) -> Iterator[tuple[Layer, str]]:
    if isinstance(layer, Sequential):
        for name, part in layer.layers:
            yield from _flat(part, join(path, name))
    else:
        yield layer, path
