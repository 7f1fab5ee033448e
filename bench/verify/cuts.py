"""A network cut short after each of its layers: what stands before the cut, with a head of its own, is a network that can predict.

The first cut whose predictions diverge says which layer does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.contract import Predictor
from bench.oracle.model import predict
from bench.spec import Dense, GlobalAveragePool, Layer, Network, Residual, Sequential, Weights, join
from bench.spec.shapes import shape_after
from bench.spec.weights import uniform
from bench.verify.batches import Images
from bench.verify.timed import allowed_in_predictions

Part = tuple[str, Layer]  # a layer and its path in the whole network

Ask = Callable[[Network, Weights, Images], NDArray[np.floating]]
"""What the backend's predictor of this network says of these images."""


@dataclass(frozen=True)
class Cut:
    """The layers that lead to a place in a network."""

    last: str  # what they end with, in words
    parts: tuple[Part, ...]


def cuts(network: Network) -> list[Cut]:
    """Every place to cut at, in forward order: before the first layer, and after each, inside Residuals too."""
    return [Cut("", ()), *_cuts("", network.body)]


def _cuts(path: str, layer: Layer) -> Iterator[Cut]:
    if isinstance(layer, Sequential):
        before: tuple[Part, ...] = ()
        for name, part in layer.layers:
            for cut in _cuts(join(path, name), part):
                yield replace(cut, parts=before + cut.parts)
            before = (*before, (join(path, name), part))
        return
    if isinstance(layer, Residual):
        yield from _cuts(join(path, "body"), layer.body)
        if layer.shortcut is not None:
            yield from _cuts(join(path, "shortcut"), layer.shortcut)
    yield Cut(f"{type(layer).__name__} '{path}'", ((path, layer),))


def headed(network: Network, weights: Weights, cut: Cut, images: Images) -> tuple[Network, Weights]:
    """A network of the layers before the cut, an average over what is left of the image, and a Dense whose logits differ between
    ``images`` by 1 (standard deviation)."""
    layers: dict[str, Layer] = {f"part{number}": layer for number, (_, layer) in enumerate(cut.parts)}
    named: dict[str, NDArray[np.floating]] = {}
    for number, (path, _) in enumerate(cut.parts):
        named |= {
            f"part{number}{name.removeprefix(path)}": value for name, value in weights.items() if name.startswith(f"{path}.")
        }
    shape = shape_after(Sequential(tuple(layers.items())), network)
    if len(shape) == 3:
        layers["pool"] = GlobalAveragePool()
    layers["head"] = Dense(shape[0], network.classes)
    short = replace(network, body=Sequential(tuple(layers.items())))
    draws = uniform(f"cut after {cut.last}", network.classes * shape[0]).reshape(network.classes, shape[0]) - 0.5
    named["head.weight"], named["head.bias"] = draws, np.zeros(network.classes)
    logits = predict(short, named, images, finish=lambda values: values)
    factor = 1 / max(float((logits - logits.mean(axis=0)).std()), 1e-12)
    named["head.weight"] = np.asarray(draws * factor, np.float32)
    named["head.bias"] = np.asarray(-logits.mean(axis=0) * factor, np.float32)
    return short, named


def first_divergence(
    network: Network,
    weights: Weights,
    images: Images,
    precision: str,
    ask: Ask,
    busy: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> str:
    """Say after which layer a predictor that diverges as a whole does so first; ``busy`` is entered while the oracle computes.

    What diverges once is taken to diverge in all longer networks, so that a few of them tell.
    """
    places = cuts(network)

    def diverges(cut: Cut) -> bool:
        with busy():
            short, named = headed(network, weights, cut, images)
            truth = predict(short, named, images)
            allowed = allowed_in_predictions(short, named, images, truth, precision)
        found = np.asarray(ask(short, named, images), np.float64)
        return found.shape != truth.shape or not float(np.abs(found - truth).max()) <= allowed

    agrees, parts = -1, len(places)
    while parts - agrees > 1:
        middle = (agrees + parts) // 2
        if diverges(places[middle]):
            parts = middle
        else:
            agrees = middle
    return _first_divergence(places, parts)


def _first_divergence(places: Sequence[Cut], first: int) -> str:
    if first == 0:
        return (
            "a network of an average and a Dense diverges already: look at the input's normalisation, the order of images, the "
            "precision of products, and the softmax"
        )
    if first == len(places):
        return "cut after any layer the network agrees"
    return f"the forward pass diverges first after {places[first].last}"


def asking(make: Callable[[Network, Weights], Predictor]) -> Ask:
    """Ask a predictor made for the network."""

    def ask(network: Network, weights: Weights, images: Images) -> NDArray[np.floating]:
        predictor = make(network, weights)
        return predictor.wait(predictor.run(predictor.stage(images.copy())))

    return ask
