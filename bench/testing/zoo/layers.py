"""Layers that are easily got wrong, each with the layer test of the kit that tells.

A test of one layer looks at little else, so that a mistake shows in fp32 and bf16 too, on a device that has no float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bench.contract import Workload
from bench.spec import AveragePool, BatchNorm, Conv2d, Dense, Layer, MaxPool, ReLU, SiLU
from bench.spec.layers import map_network
from bench.verify import other_layers
from bench.verify.other_layers import become


@dataclass(frozen=True)
class Mistake:
    """A workload misread, and the layer tests that fail for it."""

    misread: Callable[[Workload], Workload]
    layers: tuple[str, ...]  # names in ``bench.testing.workloads.layer_workloads``


def _layers(kind: type, change: Callable[[Any], Layer]) -> Callable[[Workload], Workload]:
    def changed(layer: Layer) -> Layer:
        return change(layer) if isinstance(layer, kind) else layer

    return lambda workload: replace(workload, network=map_network(workload.network, changed))


def _as(kind: Any, *layers: str) -> Mistake:
    return Mistake(_layers(kind.__mro__[1], lambda layer: become(layer, kind)), layers)


def _norm(*layers: str, **fields: Any) -> Mistake:
    return Mistake(_layers(BatchNorm, lambda layer: replace(layer, **fields)), layers)


_NORM, _SMALL = "BatchNorm", "BatchNorm of small values"

MISTAKES: dict[str, Mistake] = {
    "epsilon of 2e-5": _norm(_SMALL, epsilon=2e-5),
    "epsilon of 1e-6": _norm(_SMALL, epsilon=1e-6),
    "no epsilon": _norm(_SMALL, epsilon=0.0),
    "epsilon outside the root": _as(other_layers.EpsilonOutside, _SMALL),
    "epsilon as the least variance": _as(other_layers.LargestOfEpsilon, _SMALL),
    "momentum of BatchNorm 0.11": _norm(_NORM, momentum=0.11),
    "momentum of BatchNorm 0.01": _norm(_NORM, momentum=0.01),
    "running variance biased": _norm("BatchNorm of features", running_variance="biased"),
    "running variance unbiased": _norm("BatchNorm of features with a biased running variance", running_variance="unbiased"),
    "normalised with the unbiased variance": _as(other_layers.UnbiasedNorm, "BatchNorm of features"),
    "divided by the variance": _as(other_layers.VarianceForDeviation, _NORM, _SMALL),
    "statistics of the batch in inference": _as(other_layers.BatchStatistics, _NORM),
    "running statistics left out": _as(other_layers.WithoutStatistics, _NORM),
    "weight and bias of BatchNorm left out": _as(other_layers.WithoutAffine, _NORM),
    "statistics taken for constants on the way back": _as(other_layers.ConstantStatistics, _NORM),
    "bias before BatchNorm left out": Mistake(
        _layers(Conv2d, lambda layer: replace(layer, bias=False)), ("BatchNorm after a bias",)
    ),
    "bias of Conv2d left out": Mistake(_layers(Conv2d, lambda layer: replace(layer, bias=False)), ("Conv2d with bias",)),
    "bias of Dense left out": Mistake(_layers(Dense, lambda layer: replace(layer, bias=False)), ("Dense without bias",)),
    "convolution padded at the end": _as(other_layers.LatePaddedConv2d, "Conv2d with stride"),
    "groups interleaved": _as(other_layers.InterleavedConv2d, "Conv2d with groups"),
    "MaxPool padded at the end": _as(other_layers.LatePaddedMaxPool, "MaxPool with padding"),
    "MaxPool padded with zeros": _as(other_layers.ZeroPaddedMaxPool, "MaxPool with padding"),
    "MaxPool in ceil mode": _as(other_layers.CeilingMaxPool, "MaxPool with padding"),
    "mean in the place of the maximum": Mistake(
        _layers(MaxPool, lambda layer: AveragePool(layer.kernel, layer.stride)), ("MaxPool",)
    ),
    "AveragePool in ceil mode": _as(other_layers.CeilingAveragePool, "AveragePool, overlapping"),
    "AveragePool that counts padding": _as(other_layers.PaddedAveragePool, "AveragePool", "AveragePool, overlapping"),
    "ReLU that stops at 6": _as(other_layers.ClippedReLU, "ReLU of large values"),
    "ReLU that leaks": _as(other_layers.LeakyReLU, "ReLU of large values"),
    "SiLU as hard swish": _as(other_layers.HardSwish, "SiLU"),
    "SiLU as GELU": _as(other_layers.QuickGELU, "SiLU"),
    "SiLU as ReLU": Mistake(_layers(SiLU, lambda layer: ReLU()), ("SiLU",)),
    "SiLU that overflows": _as(other_layers.OverflowingSiLU, "SiLU of large values"),
    "Flatten with channels last": _as(other_layers.ChannelsLastFlatten, "Flatten"),
}
"""Name, how the workload is misread, and the layer tests that fail for it in any precision."""
