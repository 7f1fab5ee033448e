"""Shape inference: every layer checked against what flows into it, and the flat walk that the rest of the spec uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from bench.errors import SpecError
from bench.spec.layers import (
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
)
from bench.spec.vocabulary import check_layer, check_network

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One leaf layer in forward order: its dotted path, and the shapes (without batch) it takes and gives."""

    path: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape


def walk(network: Network) -> Iterator[Node]:
    """Leaf layers in forward order (a Residual's body before its shortcut).

    Raises SpecError, naming the layer's path, for a layer outside the vocabulary, where shapes do not fit, or where the result is not
    (classes,).
    """
    check_network(network)
    shape: Shape = (3, network.height, network.width)
    nodes: list[Node] = []
    shape = _visit("", network.body, shape, nodes)
    if shape != (network.classes,):
        raise SpecError(f"the network ends in shape {shape}; expected ({network.classes},), one logit per class")
    yield from nodes


def shape_after(body: Layer, network: Network) -> Shape:
    """The shape (without batch) that ``body`` gives for the network's input. Raises SpecError where shapes do not fit."""
    return _visit("", body, (3, network.height, network.width), [])


def join(path: str, name: str) -> str:
    """The path of ``name`` inside ``path``."""
    return f"{path}.{name}" if path else name


def _visit(path: str, layer: Layer, shape: Shape, nodes: list[Node]) -> Shape:
    check_layer(path, layer)
    if isinstance(layer, Sequential):
        names = [name for name, _ in layer.layers]
        if len(set(names)) != len(names):
            raise SpecError(f"layer '{path}' has two parts of one name among {names}; names must differ")
        for name, part in layer.layers:
            shape = _visit(join(path, name), part, shape, nodes)
        return shape
    if isinstance(layer, Residual):
        out = _visit(join(path, "body"), layer.body, shape, nodes)
        other = shape if layer.shortcut is None else _visit(join(path, "shortcut"), layer.shortcut, shape, nodes)
        if out != other:
            raise SpecError(f"residual '{path}' adds shapes {out} and {other}; its body and shortcut must agree")
        return out
    out = output_shape(path, layer, shape)
    nodes.append(Node(path, layer, shape, out))
    return out


def output_shape(path: str, layer: Layer, shape: Shape) -> Shape:
    """The shape a leaf layer gives for input ``shape`` (channels, height, width) or (features,)."""
    match layer:
        case Conv2d():
            channels, height, width = _image(path, layer, shape)
            if channels != layer.in_channels:
                raise SpecError(f"Conv2d '{path}' expects {layer.in_channels} channels, found {channels}")
            if layer.groups < 1 or layer.in_channels % layer.groups or layer.out_channels % layer.groups:
                raise SpecError(f"Conv2d '{path}': {layer.groups} groups do not divide its channels")
            return layer.out_channels, *_window(path, layer, height, width)
        case MaxPool() | AveragePool():
            channels, height, width = _image(path, layer, shape)
            return channels, *_window(path, layer, height, width)
        case BatchNorm():
            if shape[0] != layer.channels:
                raise SpecError(f"BatchNorm '{path}' expects {layer.channels} channels, found {shape[0]}")
            return shape
        case ReLU() | SiLU():
            return shape
        case GlobalAveragePool():
            return (_image(path, layer, shape)[0],)
        case Flatten():
            channels, height, width = _image(path, layer, shape)
            return (channels * height * width,)
        case Dense():
            if shape != (layer.in_features,):
                raise SpecError(f"Dense '{path}' expects shape ({layer.in_features},), found {shape}")
            return (layer.out_features,)
        case Sequential() | Residual():
            raise SpecError(f"'{path}' is not a leaf layer")
        case _:
            assert_never(layer)


def _image(path: str, layer: Layer, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise SpecError(f"{type(layer).__name__} '{path}' expects (channels, height, width), found {shape}")
    return shape[0], shape[1], shape[2]


def _window(path: str, layer: Conv2d | MaxPool | AveragePool, height: int, width: int) -> tuple[int, int]:
    padding = 0 if isinstance(layer, AveragePool) else layer.padding
    kernel, stride = layer.kernel, layer.stride
    if kernel < 1 or stride < 1 or padding < 0:
        raise SpecError(f"'{path}' has kernel {kernel}, stride {stride}, padding {padding}; need >= 1, >= 1, >= 0")
    rows = (height + 2 * padding - kernel) // stride + 1
    columns = (width + 2 * padding - kernel) // stride + 1
    if rows < 1 or columns < 1:
        raise SpecError(f"'{path}' has kernel {kernel}, larger than its {height}x{width} input with padding {padding}")
    return rows, columns
