"""What a network may be made of: a layer outside the vocabulary, or one with fields of other types, is a sentence that names it."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, get_args

from bench.errors import SpecError
from bench.spec.layers import Layer, Network, Residual, Sequential

VOCABULARY: tuple[type, ...] = get_args(Layer)
PROPOSE = (
    "the vocabulary is closed, since every backend has to compute it; docs/writing-a-workload.md says how to propose a layer"
)
_SQUARE = ("kernel", "stride", "padding")


def check_layer(path: str, layer: Any) -> None:
    """Raises SpecError for what is no layer of the vocabulary, and for a field of another type than the layer's class says."""
    if isinstance(layer, type) and layer in VOCABULARY:
        raise SpecError(f"layer '{path}' is the class {layer.__name__}, expected an object: {layer.__name__}(…)")
    if not isinstance(layer, VOCABULARY):
        there = ", ".join(sorted(kind.__name__ for kind in VOCABULARY))
        found = layer if isinstance(layer, str) else getattr(type(layer), "__name__", "")
        raise SpecError(f"layer '{path}' is a '{found}', which is no layer; there are: {there}; {PROPOSE}")
    if isinstance(layer, Sequential):
        _check_parts(path, layer)
    elif not isinstance(layer, Residual):  # whose parts are layers, which are visited
        _check_fields(path, layer)


def _check_parts(path: str, layer: Sequential) -> None:
    place = f"'{path}'" if path else "the network's body"
    if not isinstance(layer.layers, tuple) or not all(isinstance(part, tuple) and len(part) == 2 for part in layer.layers):
        raise SpecError(
            f"{place} holds {layer.layers!r:.60}, expected pairs of a name and a layer: sequential(name=layer, …)"
        )
    for name, _ in layer.layers:
        if not isinstance(name, str) or not name or "." in name or not name.isprintable():
            raise SpecError(
                f"a layer in {place} is called {name!r:.60}; expected a name without a dot, which divides a path's steps, as in 'conv_1'"
            )


def _check_fields(path: str, layer: Any) -> None:
    for field in fields(layer):
        _check_field(f"{type(layer).__name__} '{path}'", field.name, str(field.type), getattr(layer, field.name))


def _check_field(layer: str, name: str, kind: str, value: Any) -> None:
    if kind == "int" and type(value) is not int:
        square = "; windows are square" if name in _SQUARE else ""
        raise SpecError(f"{layer} has {name} {value!r:.60}, expected a whole number{square}")
    if kind == "int" and name not in {*_SQUARE, "groups"} and value < 1:
        raise SpecError(f"{layer} has {name} {value}, expected 1 or more")
    if kind == "float" and (type(value) not in {int, float} or not math.isfinite(value)):
        raise SpecError(f"{layer} has {name} {value!r:.60}, expected a number")
    if kind == "bool" and type(value) is not bool:
        raise SpecError(f"{layer} has {name} {value!r:.60}, expected True or False")
    if name == "running_variance" and value not in {"unbiased", "biased"}:
        raise SpecError(f"{layer} has running_variance {value!r:.60}, expected 'unbiased' or 'biased'")


def check_network(network: object) -> None:
    """Raises SpecError for what is no network, and for what its input or its classes cannot be. Its layers are ``walk``'s to check."""
    if not isinstance(network, Network):
        raise SpecError(f"the network is a {type(network).__name__}, expected a Network")
    for name in ("height", "width", "classes"):
        value = getattr(network, name)
        if type(value) is not int or value < 1:
            raise SpecError(f"the network has {name} {value!r:.60}, expected a whole number of 1 or more")
    if not isinstance(network.body, Sequential):
        raise SpecError(f"the network's body is a {type(network.body).__name__}, expected a Sequential")
    for name in ("mean", "std"):
        value = getattr(network, name)
        numbers = isinstance(value, tuple) and len(value) == 3 and all(type(one) in {int, float} for one in value)
        if not numbers or not all(map(math.isfinite, value)) or (name == "std" and not all(one > 0 for one in value)):
            above = " above 0" if name == "std" else ""
            raise SpecError(f"the network has {name} {value!r:.60}, expected three numbers{above}, one for each channel")
