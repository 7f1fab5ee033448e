"""What a diverging predictor does otherwise: after which layer it parts from the oracle, and which known convention gives its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.oracle.arithmetic import MANTISSA_BITS, Arithmetic, Array, exact, round_to_bits
from bench.oracle.model import predict
from bench.oracle.rules import softmax
from bench.record.schema import Check
from bench.spec import AveragePool, BatchNorm, Conv2d, Dense, Layer, MaxPool, Network, ReLU, SiLU, Weights
from bench.spec.layers import map_network
from bench.verify.batches import Images
from bench.verify.cuts import asking, first_divergence
from bench.verify.other_layers import (
    BatchStatistics,
    CeilingAveragePool,
    CeilingMaxPool,
    ChannelsLastFlatten,
    ClippedReLU,
    EpsilonOutside,
    HardSwish,
    InterleavedConv2d,
    LargestOfEpsilon,
    LatePaddedConv2d,
    LatePaddedMaxPool,
    LeakyReLU,
    QuickGELU,
    VarianceForDeviation,
    WithoutAffine,
    WithoutStatistics,
    ZeroPaddedMaxPool,
    become,
)
from bench.verify.timed import allowed_in_predictions

if TYPE_CHECKING:
    from bench.verify.equivalence import Subject

NEARER = 4.0
"""A convention is named where the numbers lie so many times nearer to it than to the truth, and no further than rounding may go."""

SAME = 64 * float(np.finfo(np.float64).eps)
"""Conventions whose probabilities differ by no more are one function, as height and width exchanged in the images or in the kernels where
the network ends in a global pooling: all of them are named."""

ALIKE = 0.8
"""Rounding to a lower precision is named where what a model of it does to the predictions correlates so far with what was found."""

NAME = "likely convention of predictions"


@dataclass(frozen=True)
class Inference:
    """A prediction as the oracle needs it; an alternative is a function from one to another."""

    network: Network
    weights: Weights
    images: Images
    finish: Callable[[Array], Array] = softmax
    arithmetic: Arithmetic = exact

    def answer(self) -> Array:
        """Return what a predictor of this kind says (batch, classes); NaN where its layers do not fit one another."""
        try:
            with np.errstate(all="ignore"):  # a wrong convention may divide by 0
                return predict(self.network, self.weights, self.images, self.arithmetic, self.finish)
        except ValueError:
            return np.full((len(self.images), self.network.classes), np.nan)


def diagnose_predictions(
    subject: Subject,
    weights: Weights,
    images: Images,
    found: NDArray[np.floating],
    busy: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Check:
    """A failed check that says where ``found`` (batch, classes) parts from the oracle, and what it fits; ``busy`` is entered while
    the oracle computes."""
    network, precision = subject.workload.network, subject.settings.precision
    with busy():
        likely = likely_convention(Inference(network, weights, images), found, precision)

    def make(short: Network, named: Weights) -> Any:
        workload = replace(subject.workload, network=short, golden=None)
        return replace(subject, workload=workload).predictor(named)

    try:
        where = first_divergence(network, weights, images, precision, asking(make), busy)
    except Exception as error:  # a backend may refuse a network that nobody asked for
        where = f"which layer diverges is not known, for a shorter network raised {type(error).__name__}"
    return Check(name=NAME, passed=False, detail=f"{where}; {likely or 'no known difference of convention fits'}")


def likely_convention(original: Inference, found: NDArray[np.floating], precision: str) -> str:
    """The alternative convention that ``found`` fits, in words, or an empty string."""
    answers = np.asarray(found, np.float64)
    truth = original.answer()
    if answers.shape != truth.shape or not np.isfinite(answers).all():
        return ""
    allowed = _allowed(original, truth, precision)
    strayed = _distance(answers, truth)
    if strayed <= allowed:
        return ""
    theirs = {name: changed.answer() for name, changed in _alternatives(original)}
    nearest = min(theirs.values(), key=lambda other: _distance(answers, other))
    if _distance(answers, nearest) <= min(allowed, strayed / NEARER):
        names = ", or of: ".join(name for name, other in theirs.items() if _distance(other, nearest) <= SAME)
        return f"the numbers are {'exactly ' if precision == 'float64' else ''}those of: {names}"
    if precision == "float64" and strayed <= _allowed(original, truth, "fp32"):
        return "the numbers stray no further than fp32 does: some arithmetic, or a constant, is not in float64"
    return _likely_rounding(original, answers - truth, truth, precision)


def _allowed(case: Inference, truth: Array, precision: str) -> float:
    return allowed_in_predictions(case.network, case.weights, case.images, truth, precision)


def _distance(one: Array, other: Array) -> float:
    distance = float(np.abs(one - other).max())
    return distance if np.isfinite(distance) else np.inf


def _alternatives(original: Inference) -> Iterator[tuple[str, Inference]]:
    for name, change in ALTERNATIVES.items():
        changed = change(original)
        if changed is not None and not _same(changed, original):
            yield name, changed


def _same(one: Inference, other: Inference) -> bool:
    return (
        one.network == other.network
        and one.weights is other.weights
        and one.images is other.images
        and one.finish is other.finish
    )


def _likely_rounding(original: Inference, strayed: Array, truth: Array, precision: str) -> str:
    """Rounding to nearest, of operands and perhaps of results, does much the same in every implementation."""
    bits = MANTISSA_BITS | {"float64": 53}
    best, name = ALIKE, ""
    for coarser, kept in MANTISSA_BITS.items():
        if kept >= bits[precision]:
            continue
        for results in {kept, max(kept, 24)}:
            drawn = replace(original, arithmetic=_rounding(kept, results)).answer() - truth
            size = float(np.linalg.norm(drawn) * np.linalg.norm(strayed)) or 1.0
            alike = float(np.sum(drawn * strayed)) / size
            ratio = float(np.linalg.norm(strayed) / (np.linalg.norm(drawn) or 1.0))
            if alike > best and 0.5 < ratio < 2:
                best, name = (
                    alike,
                    f"the numbers stray as those of {coarser} do (correlation {alike:.2f}), not of {precision}",
                )
    return name


def _rounding(operands: int, results: int) -> Arithmetic:
    """Operands and results rounded to nearest, to so many significant bits."""
    return Arithmetic(lambda x: round_to_bits(x, operands), lambda x, terms: round_to_bits(x, results))


# ---- the alternatives ------------------------------------------------------------------------------------------------

Change = Callable[[Inference], "Inference | None"]


def _layers(kind: type, change: Callable[[Any], Layer]) -> Change:
    """Every layer of a kind changed."""

    def changed(layer: Layer) -> Layer:
        return change(layer) if isinstance(layer, kind) else layer

    return lambda case: replace(case, network=map_network(case.network, changed))


def _as(kind: Any) -> Change:
    """Every layer of the kind that ``kind`` changes made one of those."""
    return _layers(kind.__mro__[1], lambda layer: become(layer, kind))


def _epsilon(value: float) -> Change:
    return _layers(BatchNorm, lambda layer: replace(layer, epsilon=value))


def _input(mean: Any = None, std: Any = None) -> Change:
    def change(case: Inference) -> Inference:
        network = case.network
        network = replace(network, mean=network.mean if mean is None else mean, std=network.std if std is None else std)
        return replace(case, network=network)

    return change


def _reversed_normalisation(case: Inference) -> Inference:
    first, second, third = case.network.mean
    a, b, c = case.network.std
    return replace(case, network=replace(case.network, mean=(third, second, first), std=(c, b, a)))


def _pixels_times(factor: float) -> Change:
    """Pixels that are ``factor`` times as large before mean and deviation."""

    def change(case: Inference) -> Inference:
        network = case.network
        mean, std = (np.asarray(value) / factor for value in (network.mean, network.std))
        return replace(case, network=replace(network, mean=tuple(mean.tolist()), std=tuple(std.tolist())))

    return change


def _images(turn: Callable[[Images], Images]) -> Change:
    return lambda case: replace(case, images=turn(case.images))


def _swapped_axes(case: Inference) -> Inference | None:
    return _images(lambda images: images.swapaxes(1, 2))(case) if case.network.height == case.network.width else None


def _weights(dimensions: int, turn: Callable[[NDArray[np.floating]], NDArray[np.floating]]) -> Change:
    """Every weight with so many dimensions turned."""

    def change(case: Inference) -> Inference | None:
        if not any(value.ndim == dimensions for value in case.weights.values()):
            return None
        turned = {name: turn(value) if value.ndim == dimensions else value for name, value in case.weights.items()}
        return replace(case, weights=turned)

    return change


def _finish(finish: Callable[[Array], Array]) -> Change:
    return lambda case: replace(case, finish=finish)


ALTERNATIVES: dict[str, Change] = {
    **{f"BatchNorm epsilon {value:g}": _epsilon(value) for value in (0, 1e-12, 1e-8, 1e-7, 1e-6, 2e-6, 5e-6)},
    **{f"BatchNorm epsilon {value:g}": _epsilon(value) for value in (1e-5, 2e-5, 5e-5, 1e-4, 1e-3, 1e-2)},
    "BatchNorm epsilon outside the square root": _as(EpsilonOutside),
    "BatchNorm epsilon as the least variance": _as(LargestOfEpsilon),
    "BatchNorm with the batch's own statistics, as in training": _as(BatchStatistics),
    "BatchNorm without running statistics (mean 0, variance 1)": _as(WithoutStatistics),
    "BatchNorm dividing by the variance, not by its root": _as(VarianceForDeviation),
    "BatchNorm without weight and bias": _as(WithoutAffine),
    "input not normalised by mean and standard deviation": _input((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "input without its mean subtracted": _input(mean=(0.0, 0.0, 0.0)),
    "input not divided by its standard deviation": _input(std=(1.0, 1.0, 1.0)),
    "input normalised to -1 … 1": _input((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "input normalised with ImageNet's mean and deviation": _input((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "pixels not divided by 255": _pixels_times(255.0),
    "pixels divided by 256": _pixels_times(255 / 256),
    "colour channels in BGR order": _images(lambda images: images[..., ::-1]),
    "mean and standard deviation in BGR order": _reversed_normalisation,
    "height and width exchanged in the images": _swapped_axes,
    "height and width exchanged in the kernels": _weights(4, lambda kernel: kernel.transpose(0, 1, 3, 2)),
    "kernels flipped (convolution instead of cross-correlation)": _weights(4, lambda kernel: kernel[:, :, ::-1, ::-1]),
    "convolutions padded at the end first (TensorFlow's SAME)": _as(LatePaddedConv2d),
    "convolutions whose groups read interleaved channels": _as(InterleavedConv2d),
    "convolutions without bias": _layers(Conv2d, lambda layer: replace(layer, bias=False)),
    "Dense without bias": _layers(Dense, lambda layer: replace(layer, bias=False)),
    "MaxPool padded at the end first (TensorFlow's SAME)": _as(LatePaddedMaxPool),
    "MaxPool padded with zeros": _as(ZeroPaddedMaxPool),
    "MaxPool with ceil_mode": _as(CeilingMaxPool),
    "AveragePool in the place of MaxPool": _layers(
        MaxPool, lambda layer: layer if layer.padding else AveragePool(layer.kernel, layer.stride)
    ),
    "AveragePool with ceil_mode": _as(CeilingAveragePool),
    "MaxPool in the place of AveragePool": _layers(AveragePool, lambda layer: MaxPool(layer.kernel, layer.stride)),
    "ReLU that stops at 6": _as(ClippedReLU),
    "ReLU that leaks a hundredth": _as(LeakyReLU),
    "ReLU in the place of SiLU": _layers(SiLU, lambda layer: ReLU()),
    "SiLU in the place of ReLU": _layers(ReLU, lambda layer: SiLU()),
    "GELU (x / (1 + exp(-1.702 x))) in the place of SiLU": _as(QuickGELU),
    "hard swish in the place of SiLU": _as(HardSwish),
    "Flatten with channels varying fastest": _as(ChannelsLastFlatten),
    "logits: softmax missing": _finish(lambda logits: logits),
    "logarithms of probabilities": _finish(lambda logits: np.log(softmax(logits))),
    "sigmoid in the place of softmax": _finish(lambda logits: 1 / (1 + np.exp(-logits))),
    "softmax taken twice": _finish(lambda logits: softmax(softmax(logits))),
    "softmax over the batch, not over the classes": _finish(lambda logits: softmax(logits.T).T),
    "classes in reverse order": _finish(lambda logits: softmax(logits)[:, ::-1]),
    "answers in reverse order": _finish(lambda logits: softmax(logits)[::-1]),
    "answers moved by one image": _finish(lambda logits: np.roll(softmax(logits), 1, axis=0)),
    "answers moved back by one image": _finish(lambda logits: np.roll(softmax(logits), -1, axis=0)),
}
