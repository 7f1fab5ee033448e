"""The kit's own workloads: small, quick for any oracle, and between them every layer type and both optimizers.

Height and width differ, so that exchanging them shows; the schedules warm up and then fall, so that ignoring them shows.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.contract import Workload
from bench.spec import (
    SGD,
    AdamW,
    AveragePool,
    BatchNorm,
    Conv2d,
    CrossEntropy,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Network,
    Optimizer,
    ReLU,
    Residual,
    Schedule,
    Sequential,
    SiLU,
    sequential,
)

HEIGHT, WIDTH, CLASSES = 12, 10, ("first", "second", "third")
BATCH_SIZE = 8

TIMED_BATCH = 32
"""Images of a batch in the kit's miniature trials: that of the small melanoma network."""

SCHEDULE_STEPS = 400


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> Sequential:
    """A convolution and BatchNorm."""
    conv = Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups)
    return sequential(conv=conv, norm=BatchNorm(outputs))


RESIDUAL = sequential(
    stem=conv_norm(3, 8, 3),
    stem_relu=ReLU(),
    stem_pool=MaxPool(3, 2, 1),
    plain=Residual(sequential(first=conv_norm(8, 8, 3), relu=ReLU(), second=conv_norm(8, 8, 3))),
    plain_relu=ReLU(),
    down=Residual(conv_norm(8, 12, 3, 2), shortcut=conv_norm(8, 12, 1, 2)),
    down_relu=ReLU(),
    pool=GlobalAveragePool(),
    head=Dense(12, 3),
)
"""A residual net, what most workloads are made of."""

ASSORTED = sequential(
    stem=Conv2d(3, 8, 3, padding=1, bias=True),
    stem_silu=SiLU(),
    stem_pool=AveragePool(2, 2),
    grouped=conv_norm(8, 8, 3, groups=4),
    grouped_silu=SiLU(),
    flat=Flatten(),
    hidden=Dense(240, 10, bias=False),
    norm=BatchNorm(10, epsilon=1e-4, momentum=0.2),
    hidden_silu=SiLU(),
    head=Dense(10, 3),
)
"""The layers that ``RESIDUAL`` has not."""


def _workload(
    name: str,
    body: Sequential,
    optimizer: Optimizer,
    loss: CrossEntropy,
    summary: str,
    scale: float = 1.0,
    batch_size: int = BATCH_SIZE,
) -> Workload:
    """``scale``: how many times as large as usual what enters the body is."""
    std = 0.2 / scale, 0.25 / scale, 0.3 / scale
    return Workload(
        name=name,
        size="kit",
        network=Network(HEIGHT, WIDTH, 3, body, mean=(0.6, 0.5, 0.4), std=std),
        loss=loss,
        optimizer=optimizer,
        batch_size=batch_size,
        epochs=1,
        seed=7,
        classes=CLASSES,
        data=None,
        summary=summary,
    )


def kit_workloads() -> list[Workload]:
    """A residual net with SGD, Nesterov momentum and class weights; the other layers with AdamW."""
    falling = Schedule(0.05, warmup_steps=3, total_steps=SCHEDULE_STEPS)
    sgd = SGD(falling, momentum=0.9, nesterov=True, weight_decay=1e-3)
    adamw = AdamW(Schedule(0.01, warmup_steps=2, total_steps=SCHEDULE_STEPS, final=0.001), weight_decay=0.05)
    weighted = CrossEntropy((1.0, 2.0, 4.0))
    return [
        _workload("kit-residual", RESIDUAL, sgd, weighted, "a residual net, SGD with Nesterov", batch_size=TIMED_BATCH),
        _workload("kit-assorted", ASSORTED, adamw, CrossEntropy(), "every other layer, AdamW", batch_size=TIMED_BATCH),
    ]


_PLANES = 6  # channels of the images that reach the layer under test

_LAYERS: Mapping[str, Layer] = {
    "Conv2d": Conv2d(_PLANES, 6, 3, padding=1),
    "Conv2d with bias": Conv2d(_PLANES, 6, 3, bias=True),
    "Conv2d with stride": Conv2d(_PLANES, 6, 3, stride=2, padding=1),
    "Conv2d with groups": Conv2d(_PLANES, 6, 3, padding=1, groups=3),
    "Conv2d, depthwise": Conv2d(_PLANES, 6, 3, padding=1, groups=_PLANES),
    "BatchNorm": BatchNorm(_PLANES),
    "BatchNorm with a biased running variance": BatchNorm(_PLANES, running_variance="biased"),
    "BatchNorm of small values": BatchNorm(_PLANES),
    "BatchNorm of features": BatchNorm(_PLANES, momentum=0.5),
    "BatchNorm of features with a biased running variance": BatchNorm(_PLANES, momentum=0.5, running_variance="biased"),
    "BatchNorm after a bias": sequential(conv=Conv2d(_PLANES, 6, 3, padding=1, bias=True), norm=BatchNorm(6)),
    "ReLU": ReLU(),
    "ReLU of large values": ReLU(),
    "SiLU": SiLU(),
    "SiLU of large values": SiLU(),
    "MaxPool": MaxPool(2, 2),
    "MaxPool with padding": MaxPool(3, 2, 1),
    "AveragePool": AveragePool(2, 2),
    "AveragePool, overlapping": AveragePool(3, 2),
    "Residual": Residual(Conv2d(_PLANES, 6, 3, padding=1)),
    "Residual with shortcut": Residual(Conv2d(_PLANES, 6, 3, padding=1), Conv2d(_PLANES, 6, 1)),
    "GlobalAveragePool": GlobalAveragePool(),
    "Flatten": Flatten(),
    "Dense without bias": Dense(_PLANES, 6, bias=False),
}


_SCALES = {
    "BatchNorm of small values": 1 / 300,
    "BatchNorm of features": 4.0,
    "BatchNorm of features with a biased running variance": 4.0,
    "ReLU of large values": 30.0,
    "SiLU of large values": 60.0,
}
"""Where values are small, BatchNorm's variances are of the size of its epsilon. Where they are large, a limit or an overflow shows, and
of a running variance what the batch brings."""


def layer_workloads() -> dict[str, Workload]:
    """One network for each layer type and its options, with little else in it."""
    optimizer = SGD(Schedule(0.05), momentum=0.9)

    def make(name: str, layer: Layer) -> Workload:
        scale = _SCALES.get(name, 1.0)
        around = _after_pooling(layer) if "of features" in name else _around(layer, scale)
        return _workload(f"kit {name}", around, optimizer, CrossEntropy(), f"{name} alone", scale)

    return {name: make(name, layer) for name, layer in _LAYERS.items()}


def _after_pooling(layer: Layer) -> Sequential:
    """A classifier that has the layer where each image is a few numbers: so few values show n for n - 1."""
    return sequential(stem=Conv2d(3, _PLANES, 1), pool=GlobalAveragePool(), layer=layer, head=Dense(_PLANES, 3))


def _around(layer: Layer, scale: float) -> Sequential:
    """The smallest classifier that has the layer: a 1x1 convolution before it, and whatever leads to logits after it."""
    stem = Conv2d(3, _PLANES, 1)
    if scale > 1:  # large logits would teach nothing
        return sequential(stem=stem, layer=layer, norm=BatchNorm(_PLANES), pool=GlobalAveragePool(), head=Dense(6, 3))
    match layer:
        case Flatten():
            return sequential(stem=stem, layer=layer, head=Dense(_PLANES * HEIGHT * WIDTH, 3))
        case GlobalAveragePool():
            return sequential(stem=stem, layer=layer, head=Dense(_PLANES, 3))
        case Dense():
            return sequential(stem=stem, pool=GlobalAveragePool(), layer=layer, head=Dense(6, 3))
        case _:
            return sequential(stem=stem, layer=layer, pool=GlobalAveragePool(), head=Dense(6, 3))
