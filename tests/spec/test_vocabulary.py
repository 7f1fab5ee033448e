"""What is outside the vocabulary is one sentence that names the layer and what there is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bench.errors import SpecError
from bench.spec import (
    AveragePool,
    BatchNorm,
    Conv2d,
    Dense,
    GlobalAveragePool,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Sequential,
    sequential,
    walk,
)
from bench.spec.vocabulary import VOCABULARY


@dataclass(frozen=True)
class LayerNorm:
    """A layer of somebody's own."""

    features: int


def network(layer, **changes):
    body = sequential(stem=Conv2d(3, 6, 1), block=layer, pool=GlobalAveragePool(), head=Dense(6, 3))
    return replace(Network(8, 8, 3, body), **changes)


def sentence(spec):
    with pytest.raises(SpecError) as error:
        list(walk(spec))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_vocabulary_is_whole():
    assert {kind.__name__ for kind in VOCABULARY} == {
        "AveragePool", "BatchNorm", "Conv2d", "Dense", "Flatten", "GlobalAveragePool", "MaxPool", "ReLU", "Residual", "Sequential",
        "SiLU",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (LayerNorm(6), "layer 'block' is a 'LayerNorm', which is no layer; there are: AveragePool, BatchNorm, Conv2d, Dense,"),
        (sequential(norm=LayerNorm(6)), "layer 'block.norm' is a 'LayerNorm', which is no layer; there are: "),
        (Residual(sequential(norm="GELU")), "layer 'block.body.norm' is a 'GELU', which is no layer; there are: "),
        (None, "layer 'block' is a 'NoneType', which is no layer; there are: "),
        (ReLU, "layer 'block' is the class ReLU, expected an object: ReLU(…)"),
        (Conv2d(6, 6, (3, 5)), "Conv2d 'block' has kernel (3, 5), expected a whole number; windows are square"),
        (Conv2d(6, 6, 3, stride=(1, 2)), "Conv2d 'block' has stride (1, 2), expected a whole number; windows are square"),
        (Conv2d(6, 6, 3, padding="same"), "Conv2d 'block' has padding 'same', expected a whole number; windows are square"),
        (MaxPool((2, 3), 2), "MaxPool 'block' has kernel (2, 3), expected a whole number; windows are square"),
        (AveragePool(2.0, 2), "AveragePool 'block' has kernel 2.0, expected a whole number; windows are square"),
        (Conv2d(6, True, 3), "Conv2d 'block' has out_channels True, expected a whole number"),
        (Conv2d(6, 0, 3), "Conv2d 'block' has out_channels 0, expected 1 or more"),
        (Conv2d(6, 6, 1, bias=1), "Conv2d 'block' has bias 1, expected True or False"),
        (BatchNorm(6, epsilon="1e-5"), "BatchNorm 'block' has epsilon '1e-5', expected a number"),
        (BatchNorm(6, momentum=float("nan")), "BatchNorm 'block' has momentum nan, expected a number"),
        (BatchNorm(6, running_variance="both"), "BatchNorm 'block' has running_variance 'both', expected 'unbiased' or 'biased'"),
        (Sequential({"relu": ReLU()}), "'block' holds {'relu': ReLU()}, expected pairs of a name and a layer"),
        (Sequential((ReLU(),)), "'block' holds (ReLU(),), expected pairs of a name and a layer"),
        (sequential(**{"conv.1": ReLU()}), "a layer in 'block' is called 'conv.1'; expected a name without a dot"),
        (Sequential(((7, ReLU()),)), "a layer in 'block' is called 7; expected a name without a dot"),
        (Sequential((("", ReLU()),)), "a layer in 'block' is called ''; expected a name without a dot"),
    ],
)  # fmt: skip
def test_a_layer_is_named(layer, words):
    assert sentence(network(layer)).startswith(words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"height": (8,)}, "the network has height (8,), expected a whole number of 1 or more"),
        ({"classes": 0}, "the network has classes 0, expected a whole number of 1 or more"),
        ({"body": ReLU()}, "the network's body is a ReLU, expected a Sequential"),
        ({"mean": 0.5}, "the network has mean 0.5, expected three numbers, one for each channel"),
        ({"std": (0.2, 0.0, 0.2)}, "the network has std (0.2, 0.0, 0.2), expected three numbers above 0"),
        ({"body": sequential(**{"a.b": ReLU()})}, "a layer in the network's body is called 'a.b'"),
    ],
)
def test_a_network_is_named(changes, words):
    assert sentence(network(ReLU(), **changes)).startswith(words)
