"""From measured rates to the time of a training, of a tuning loop, of an ensemble.

Counted are the images, views, batches and predictors of ``bench train``. With N training, N_val validation and N_test test images, E epochs, v views of each image in
an evaluation, r images per second, P = decoded megapixels per second over megapixels per image, and a seconds to change an image at
random:

    T_train = t_start + E train(N) + E evaluate(N_val) + evaluate(N_test) + (E + 2) t_ready + B / r_infer

    train(n)    = n max(1/r_train, a + 1/P)          where the accelerator is apart from the host
    train(n)    = n (1/r_train + a + 1/P)            where training and the host's work share the cores
    evaluate(n) = max(v n / r_infer, n / P)          apart
    evaluate(n) = v n / r_infer + n / P              shared

Images that are decoded once (``MeasuredRates.settled``) take (N + N_val + N_test) / P before a training, and the four lines are without
1/P. K trainings in a tuning loop then take K T_train less K - 1 times that, and as many trainings fit into a budget as with that taken
off both.

N is cut to full batches, and the n of evaluations that are computed is filled up to full batches of B images. (E + 2): a predictor is built, and
predicts a batch, before the first step; one more follows each epoch, and one the last of them, for the test images.

With D devices of parallel efficiency e (their speed over D times that of one), r is D e times what one reached. Accelerators then share one
host's decoding, P; processors each bring their own, so that P, too, is D e times that of one. P of C cores instead of the c measured is
C / c times the measured one, for accelerators only: what a processor reaches on other cores is not known.

A training costs (price of one device-hour) D T_train / 1 h, and takes (watts of one device) D T_train of energy.

t_start is what comes before the second step, the predictor's first compilation included; t_ready is what a predictor with new weights costs before its first batch: weights are frozen into it, or a compiled program is
fetched from the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.projection.assumptions import Assumptions
from bench.projection.counted import Counts, Decoding, MeasuredRates
from bench.projection.draws import estimate, seconds_per_item
from bench.statistics.rates import Estimate, LogRate
from bench.statistics.ratios import around, shared_units

WEEK_HOURS = 168.0
DAY_SECONDS = 86400.0
YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Members:
    """How many trainings fit into the budget: at the estimate, and at either end of its interval."""

    value: int
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Projection:
    """The days-versus-hours figures of one setting of one device. Times are seconds."""

    training: Estimate
    tuning_loop: Estimate
    trainings_per_week: Estimate
    ensemble: Members
    screening: Estimate | None  # inference over all images; None where inference was not measured
    parts: dict[str, float]  # seconds of one training by what sets their pace: train, decode, augment, evaluate, start-up
    binds: str  # the largest of them
    decoded_per_second: float | None  # P, images
    cores_to_feed: int | None  # cores whose decoding would keep up with training, extrapolated linearly
    trainings_per_interval: Estimate  # between one retraining and the next
    trainings_per_year: float  # as often as the retraining interval says
    energy: Estimate | None  # joules of one training, of all devices; None where no draw was measured
    from_arrays: Estimate | None  # one training on images decoded before; None where decoding was not measured
    decoding: (
        Estimate | None
    )  # seconds to decode all images once, before training; None where that is not how they are decoded


@dataclass(frozen=True)
class _Pace:
    """What the assumptions make of measured seconds per image."""

    compute: float
    decode: float
    augment: float

    @classmethod
    def of(cls, measured: MeasuredRates, assumptions: Assumptions) -> _Pace:
        together = 1 / (assumptions.devices * assumptions.parallel_efficiency)
        if measured.shares_cores:
            return cls(together, together, together)
        cores = assumptions.decode_cores
        return cls(together, 1.0 if cores is None or measured.decoding is None else measured.decoding.cores / cores, 1.0)


def project(measured: MeasuredRates, assumptions: Assumptions, epochs: int) -> Projection:
    """Project one setting of one device to the whole project."""
    measured = _settled(measured, assumptions)
    pace = _Pace.of(measured, assumptions)
    decode = _decode_seconds(measured.decoding, assumptions, pace)
    parts = _parts(measured, assumptions, epochs, pace)
    training = _training(measured, assumptions, epochs)
    feed = None
    if measured.decode is not None and not measured.shares_cores:
        unscaled = math.exp(measured.decode.log.mean) * assumptions.dataset.megapixels
        feed = math.ceil(unscaled / (math.exp(measured.train.mean) * pace.compute) * measured.decode.cores - 1e-9)
    return Projection(
        training=training,
        tuning_loop=_several(measured, assumptions, epochs, assumptions.tuning_runs),
        trainings_per_week=_fitting(measured, assumptions, epochs, WEEK_HOURS * 3600),
        ensemble=_members(_fitting(measured, assumptions, epochs, assumptions.budget_hours * 3600)),
        screening=_screening(measured, assumptions),
        parts=parts,
        binds=max(parts, key=parts.__getitem__),
        decoded_per_second=None if decode is None else 1 / decode,
        cores_to_feed=feed,
        trainings_per_interval=_fitting(measured, assumptions, epochs, assumptions.retrain_days * DAY_SECONDS),
        trainings_per_year=YEAR_DAYS / assumptions.retrain_days,
        energy=_energy(measured, training, assumptions, epochs),
        from_arrays=None if decode is None else _training(_from_arrays(measured), assumptions, epochs),
        decoding=_several(measured, assumptions, epochs, 0) if measured.once is not None else None,
    )


def _settled(measured: MeasuredRates, assumptions: Assumptions) -> MeasuredRates:
    return measured.settled(assumptions.dataset.images, assumptions.decode)


def _from_arrays(measured: MeasuredRates) -> MeasuredRates:
    return replace(measured, decode=None, once=None)


def _several(measured: MeasuredRates, assumptions: Assumptions, epochs: int, count: int) -> Estimate:
    """Seconds of so many trainings in a row, which decode once for all of them where images are decoded once."""
    if measured.once is None:
        return _training(measured, assumptions, epochs).scaled(count)
    first, other = _with_and_without_decoding(measured, assumptions, epochs)
    return _combined(lambda one, each: one + (count - 1) * each, first, other)


def _fitting(measured: MeasuredRates, assumptions: Assumptions, epochs: int, budget: float) -> Estimate:
    """How many trainings fit into so many seconds, their decoding once included."""
    if measured.once is None:
        return inverse(_training(measured, assumptions, epochs), budget)
    first, other = _with_and_without_decoding(measured, assumptions, epochs)
    return _combined(lambda one, each: np.maximum(budget - (one - each), 0.0) / each, first, other)


_Times = tuple[float, NDArray[np.float64] | None]
"""Seconds, and draws of them."""


def _with_and_without_decoding(measured: MeasuredRates, assumptions: Assumptions, epochs: int) -> tuple[_Times, _Times]:
    """One training that decodes before it starts, and one on images decoded before."""
    sides = measured, _from_arrays(measured)
    times = [(_point_seconds(side, assumptions, epochs), _training_draws(side, assumptions, epochs)) for side in sides]
    return times[0], times[1]


def _combined(combine: Callable[[Any, Any], Any], first: _Times, other: _Times) -> Estimate:
    draws = None if first[1] is None or other[1] is None else np.asarray(combine(first[1], other[1]))
    return estimate(float(combine(first[0], other[0])), draws)


def _training(measured: MeasuredRates, assumptions: Assumptions, epochs: int) -> Estimate:
    return estimate(_point_seconds(measured, assumptions, epochs), _training_draws(measured, assumptions, epochs))


def _energy(measured: MeasuredRates, training: Estimate, assumptions: Assumptions, epochs: int) -> Estimate | None:
    """Joules of one training: its time times the draw of every device, both uncertain."""
    if measured.watts is None:
        return None
    value = training.value * measured.watts.rate * assumptions.devices
    times = _training_draws(measured, assumptions, epochs)
    if times is None or measured.watts.standard_error is None:
        return Estimate(value)
    return estimate(value, times / seconds_per_item(measured.watts) * assumptions.devices)


def speed_up(
    reference: MeasuredRates, candidate: MeasuredRates, assumptions: Assumptions, epochs: int
) -> tuple[Estimate, tuple[str, ...]]:
    """How many times faster the candidate finishes one training, and what had to be left out on both sides to be fair.

    Where all rates of both sides have rounds of one run, or records, in common, each of these gives a ratio of its own, and
    the interval is Student's t over their logarithms (``bench.statistics.ratios``): what hits a whole round cancels. Otherwise the
    interval comes from draws of all rates, as if they were independent.
    """
    sides, left_out = _alike(_settled(reference, assumptions), _settled(candidate, assumptions))
    paired = _paired(sides)
    values = [_point_seconds(side, assumptions, epochs) for side in paired or sides]
    if paired is not None:
        rounds = [[side.of_unit(place) for side in paired] for place in range(len(paired[0].train.units))]
        seconds = [[_point_seconds(side, assumptions, epochs) for side in each] for each in rounds]
        return around(values[0] / values[1], [math.log(one / other) for one, other in seconds]), left_out
    draws = [_training_draws(side, assumptions, epochs) for side in sides]
    if draws[0] is None or draws[1] is None:
        return Estimate(values[0] / values[1]), left_out
    return estimate(values[0] / values[1], draws[0] / draws[1]), left_out


def _point_seconds(measured: MeasuredRates, assumptions: Assumptions, epochs: int) -> float:
    """Seconds of one training at these rates."""
    return sum(_parts(measured, assumptions, epochs, _Pace.of(measured, assumptions)).values())


def _paired(sides: tuple[MeasuredRates, MeasuredRates]) -> tuple[MeasuredRates, MeasuredRates] | None:
    """Both sides in the rounds, or records, that all their rates have in common; None where those are too few."""
    decodes = [side.decoding.log for side in sides if side.decoding is not None]
    logs = [log for side in sides for log in (side.train, side.infer) if log is not None] + decodes
    units = shared_units(*logs)
    return (sides[0].of_units(units), sides[1].of_units(units)) if units else None


def _alike(
    reference: MeasuredRates, candidate: MeasuredRates
) -> tuple[tuple[MeasuredRates, MeasuredRates], tuple[str, ...]]:
    infer = reference.infer is None or candidate.infer is None
    decode = reference.decoding is None or candidate.decoding is None
    augment = (reference.augment is None) != (candidate.augment is None)
    every = (("evaluation", infer), ("decoding", decode), ("augmentation", augment))
    one, other = (side.without(infer=infer, decode=decode, augment=augment) for side in (reference, candidate))
    return (one, other), tuple(name for name, out in every if out)


@dataclass(frozen=True)
class BreakEven:
    """From how many images on one device finishes a training before another."""

    kind: Literal["always", "never", "from", "up to"]
    images: float | None = None  # of the data set, validation included


def break_even(reference: MeasuredRates, candidate: MeasuredRates, assumptions: Assumptions, epochs: int) -> BreakEven:
    """Where the candidate's training overtakes the reference's as the data set grows or shrinks, all else as assumed.

    Both take a fixed time, f (start-up, and a predictor for every evaluation), and a time per image, c, batches being taken for full; they meet at
    (f_candidate - f_reference) / (c_reference - c_candidate) images. What one of them lacks counts on neither.
    """
    sides, _ = _alike(_settled(reference, assumptions), _settled(candidate, assumptions))
    (fixed, slope), (other_fixed, other_slope) = (_line(side, assumptions, epochs) for side in sides)
    later, steeper = other_fixed - fixed, other_slope - slope
    if later >= 0 and steeper >= 0:
        return BreakEven("never")
    if later <= 0 and steeper <= 0:
        return BreakEven("always")
    return BreakEven("from" if later > 0 else "up to", later / -steeper)


def _line(measured: MeasuredRates, assumptions: Assumptions, epochs: int) -> tuple[float, float]:
    """Seconds of a training without an image, and per image of the data set."""
    total = _point_seconds(measured, assumptions, epochs)
    fixed = measured.start_up
    if measured.infer is not None:
        fixed += _making_ready(measured, assumptions, epochs)
    return fixed, (total - fixed) / assumptions.dataset.images


def _decode_seconds(decoding: Decoding | None, assumptions: Assumptions, pace: _Pace) -> float | None:
    """1/P: seconds to decode one image of the data set."""
    if decoding is None:
        return None
    return math.exp(decoding.log.mean) * assumptions.dataset.megapixels * pace.decode


def _parts(measured: MeasuredRates, assumptions: Assumptions, epochs: int, pace: _Pace) -> dict[str, float]:
    """Seconds of one training by what sets their pace."""
    counts = Counts.of(measured, assumptions.dataset, epochs)
    decode = _decode_seconds(measured.decode, assumptions, pace) or 0.0
    once = assumptions.dataset.images * (_decode_seconds(measured.once, assumptions, pace) or 0.0)
    augment = (measured.augment or 0.0) * pace.augment
    parts = {"train": 0.0, "decode": once, "augment": 0.0, "evaluate": 0.0, "start-up": measured.start_up}
    compute = math.exp(measured.train.mean) * pace.compute
    if measured.shares_cores or compute >= decode + augment:
        parts["train"] += counts.trained * compute
    if measured.shares_cores or compute < decode + augment:
        parts["decode"] += counts.trained * decode
        parts["augment"] += counts.trained * augment
    if measured.infer is not None:
        computing = counts.predicted * math.exp(measured.infer.mean) * pace.compute
        decoding = counts.evaluated * decode
        if measured.shares_cores or computing >= decoding:
            parts["evaluate"] += computing
        if measured.shares_cores or computing < decoding:
            parts["decode"] += decoding
        parts["evaluate"] += _making_ready(measured, assumptions, epochs)
    return parts


def _making_ready(measured: MeasuredRates, assumptions: Assumptions, epochs: int) -> float:
    """Seconds to build the predictors of one training, and of the batch that is predicted before its first step."""
    assert measured.infer is not None
    first = measured.batches.evaluation * math.exp(measured.infer.mean) * _Pace.of(measured, assumptions).compute
    return Counts.of(measured, assumptions.dataset, epochs).built * measured.infer_ready + first


def _training_draws(measured: MeasuredRates, assumptions: Assumptions, epochs: int) -> NDArray[np.float64] | None:
    """Draws of T_train; None where one of its rates comes from a single trial."""
    if not _all_have_spread(measured.train, measured.infer, measured.decoding):
        return None
    counts, pace = Counts.of(measured, assumptions.dataset, epochs), _Pace.of(measured, assumptions)
    decode = np.zeros(1)
    if measured.decode is not None:
        decode = _decode_draws(measured.decode, assumptions, pace)
    together = np.add if measured.shares_cores else np.maximum
    train = seconds_per_item(measured.train) * pace.compute
    total = measured.start_up + counts.trained * together(train, decode + (measured.augment or 0.0) * pace.augment)
    if measured.infer is not None:
        infer = seconds_per_item(measured.infer) * pace.compute
        total = total + together(counts.predicted * infer, counts.evaluated * decode)
        total = total + counts.built * measured.infer_ready + measured.batches.evaluation * infer
    if measured.once is not None:
        total = total + assumptions.dataset.images * _decode_draws(measured.once, assumptions, pace)
    return np.asarray(total)


def _decode_draws(decoding: Decoding, assumptions: Assumptions, pace: _Pace) -> NDArray[np.float64]:
    return seconds_per_item(decoding.log) * assumptions.dataset.megapixels * pace.decode


def _screening(measured: MeasuredRates, assumptions: Assumptions) -> Estimate | None:
    """Inference over every image of the data set, once."""
    if measured.infer is None:
        return None
    data, pace = assumptions.dataset, _Pace.of(measured, assumptions)
    value = data.images * float(_paced(measured.infer, measured, data.megapixels, pace, _point)[0])
    if not _all_have_spread(measured.infer, measured.decoding):
        return Estimate(measured.infer_start_up + value)
    draws = data.images * _paced(measured.infer, measured, data.megapixels, pace, seconds_per_item)
    return estimate(measured.infer_start_up + value, measured.infer_start_up + draws)


def _paced(
    compute: LogRate,
    measured: MeasuredRates,
    megapixels: float,
    pace: _Pace,
    draw: Callable[[LogRate], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """1/rate(r): draws of seconds per image once decoding is counted."""
    seconds = draw(compute) * pace.compute
    if measured.decoding is None:
        return seconds
    decode = draw(measured.decoding.log) * megapixels * pace.decode
    return seconds + decode if measured.shares_cores else np.maximum(seconds, decode)


def _point(log: LogRate) -> NDArray[np.float64]:
    return np.array([math.exp(log.mean)])


def _all_have_spread(*rates: LogRate | Decoding | None) -> bool:
    logs = [rate.log if isinstance(rate, Decoding) else rate for rate in rates]
    return all(log is None or log.standard_error is not None for log in logs)


def inverse(seconds: Estimate, budget: float) -> Estimate:
    """How often so many seconds fit into the budget."""
    low = None if seconds.high is None else budget / seconds.high
    high = None if seconds.low is None else budget / seconds.low
    return Estimate(budget / seconds.value, low, high)


def _members(fitting: Estimate) -> Members:
    low, high = (None if end is None else math.floor(end) for end in (fitting.low, fitting.high))
    return Members(math.floor(fitting.value), low, high)
