"""Shape inference: what fits, and errors that name the layer's path."""

from __future__ import annotations

import pytest

from bench.errors import SpecError
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
    sequential,
    walk,
)
from bench.spec.layers import map_network
from bench.spec.shapes import output_shape


def network(**layers: Layer) -> Network:
    return Network(12, 10, 3, sequential(**layers))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv2d(4, 6, 3), (6, 10, 8)),
        (Conv2d(4, 6, 3, stride=2, padding=1), (6, 6, 5)),
        (Conv2d(4, 8, 1, groups=4), (8, 12, 10)),
        (MaxPool(3, 2, 1), (4, 6, 5)),
        (AveragePool(2, 2), (4, 6, 5)),
        (AveragePool(5, 3), (4, 3, 2)),
        (BatchNorm(4), (4, 12, 10)),
        (ReLU(), (4, 12, 10)),
        (GlobalAveragePool(), (4,)),
        (Flatten(), (480,)),
    ],
)
def test_output_shape(layer: Layer, shape: tuple[int, ...]):
    assert output_shape("here", layer, (4, 12, 10)) == shape


def test_walk_gives_forward_order_with_the_body_before_the_shortcut():
    block = Residual(sequential(conv=Conv2d(3, 4, 3, padding=1), norm=BatchNorm(4)), Conv2d(3, 4, 1))
    nodes = list(walk(network(block=block, pool=GlobalAveragePool(), head=Dense(4, 3))))
    assert [node.path for node in nodes] == ["block.body.conv", "block.body.norm", "block.shortcut", "pool", "head"]
    assert nodes[0].input_shape == (3, 12, 10)
    assert nodes[-1].output_shape == (3,)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"stem": Conv2d(4, 8, 3)}, "Conv2d 'stem' expects 4 channels, found 3"),
        ({"stem": Conv2d(3, 8, 3, groups=2)}, "Conv2d 'stem': 2 groups do not divide its channels"),
        ({"stem": sequential(norm=BatchNorm(5))}, "BatchNorm 'stem.norm' expects 5 channels, found 3"),
        ({"stem": Conv2d(3, 8, 15)}, "'stem' has kernel 15, larger than its 12x10 input with padding 0"),
        ({"pool": MaxPool(2, 0)}, "'pool' has kernel 2, stride 0, padding 0"),
        ({"flat": Flatten(), "conv": Conv2d(3, 8, 1)}, "Conv2d 'conv' expects (channels, height, width), found (360,)"),
        ({"head": Dense(3, 3)}, "Dense 'head' expects shape (3,), found (3, 12, 10)"),
        ({"block": Residual(Conv2d(3, 4, 1))}, "residual 'block' adds shapes (4, 12, 10) and (3, 12, 10)"),
        ({"pool": GlobalAveragePool(), "head": Dense(3, 2)}, "ends in shape (2,); expected (3,), one logit per class"),
    ],
)
def test_what_does_not_fit_names_the_path(layers: dict[str, Layer], message: str):
    with pytest.raises(SpecError) as error:
        list(walk(network(**layers)))
    assert message in str(error.value)


def test_two_parts_of_one_name():
    body = Sequential((("conv", Conv2d(3, 3, 1)), ("conv", ReLU())))
    with pytest.raises(SpecError, match="two parts of one name"):
        list(walk(Network(8, 8, 3, body)))


def test_map_network_changes_every_leaf_and_keeps_the_tree():
    block = Residual(sequential(norm=BatchNorm(3), act=ReLU()), sequential(norm=BatchNorm(3)))
    before = network(block=block, pool=GlobalAveragePool())
    after = map_network(before, lambda layer: BatchNorm(3, momentum=0.5) if isinstance(layer, BatchNorm) else layer)
    changed = [node.layer.momentum for node in walk(after) if isinstance(node.layer, BatchNorm)]
    assert changed == [0.5, 0.5]
    assert [node.path for node in walk(after)] == [node.path for node in walk(before)]
    assert map_network(before, lambda layer: layer) == before
