"""The networks of the built-in workloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.spec import (
    BatchNorm,
    Conv2d,
    Dense,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Sequential,
    sequential,
)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Block = Callable[[int, int, int], Layer]  # from channels that come in, width and stride


def resnet18(size: int, classes: int) -> Network:
    """ResNet-18 (He et al. 2015, arXiv:1512.03385, table 1), 7x7 stride-2 stem with max-pool."""
    return _resnet(size, classes, (2, 2, 2, 2), _basic)


def resnet50(size: int, classes: int) -> Network:
    """ResNet-50 v1.5: as in the paper, but a bottleneck's stride sits on its 3x3 convolution, as MLPerf has it."""
    return _resnet(size, classes, (3, 4, 6, 3), _bottleneck, expansion=4)


def small_residual(
    size: int, classes: int, widths: tuple[int, ...] = (16, 32, 64), blocks: int = 1, stem_stride: int = 1
) -> Network:
    """A small residual net for small images (the CIFAR form of He et al. 2015, section 4.2): 3x3 stem, no max-pool."""
    stem: dict[str, Layer] = {"stem": _conv_bn(3, widths[0], 3, stem_stride), "stem_relu": ReLU()}
    return _staged(size, classes, stem, [(width, blocks) for width in widths], _basic)


def _resnet(size: int, classes: int, blocks: tuple[int, ...], make: Block, expansion: int = 1) -> Network:
    stem: dict[str, Layer] = {"stem": _conv_bn(3, 64, 7, 2), "stem_relu": ReLU(), "stem_pool": MaxPool(3, 2, 1)}
    return _staged(size, classes, stem, [(64 * 2**stage, count) for stage, count in enumerate(blocks)], make, expansion)


def _staged(
    size: int, classes: int, stem: dict[str, Layer], stages: Sequence[tuple[int, int]], make: Block, expansion: int = 1
) -> Network:
    """The stem, stages of so wide and so many blocks, of which each stage but the first halves the image, and the head."""
    parts, channels = dict(stem), stages[0][0]
    for stage, (width, count) in enumerate(stages, 1):
        for block in range(count):
            stride = 2 if stage > 1 and block == 0 else 1
            parts[f"stage{stage}_block{block}"] = make(channels, width, stride)
            channels = width * expansion
    parts |= {"pool": GlobalAveragePool(), "head": Dense(channels, classes)}
    return Network(size, size, classes, sequential(**parts), IMAGENET_MEAN, IMAGENET_STD)


def _conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> Sequential:
    conv = Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    return sequential(conv=conv, norm=BatchNorm(outputs))


def _basic(inputs: int, width: int, stride: int) -> Sequential:
    body = sequential(first=_conv_bn(inputs, width, 3, stride), relu=ReLU(), second=_conv_bn(width, width, 3))
    return _block(body, inputs, width, stride)


def _bottleneck(inputs: int, width: int, stride: int) -> Sequential:
    body = sequential(
        reduce=_conv_bn(inputs, width, 1),
        relu1=ReLU(),
        spatial=_conv_bn(width, width, 3, stride),
        relu2=ReLU(),
        expand=_conv_bn(width, 4 * width, 1),
    )
    return _block(body, inputs, 4 * width, stride)


def _block(body: Sequential, inputs: int, outputs: int, stride: int) -> Sequential:
    plain = inputs == outputs and stride == 1
    shortcut = None if plain else _conv_bn(inputs, outputs, 1, stride)
    return sequential(add=Residual(body, shortcut), relu=ReLU())
