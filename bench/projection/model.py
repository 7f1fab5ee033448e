"""From measured rates to the time of a training, of a tuning loop, of an ensemble.

With N training and N_val validation images, E epochs, r images per second, and P = decoded megapixels per second over
megapixels per image:

    rate(r) = min(r, P)              where the accelerator is apart from the host
    rate(r) = 1 / (1/r + 1/P)        where training and decoding share the cores
    T_train = t_start + E N / rate(r_train) + E (N_val / rate(r_infer) + t_ready)

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
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.projection.assumptions import Assumptions
from bench.projection.draws import estimate, seconds_per_item
from bench.statistics.rates import Estimate, LogRate, Place
from bench.statistics.ratios import around, of_units, shared_units

WEEK_HOURS = 168.0
DAY_SECONDS = 86400.0
YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Decoding:
    """Preprocessing as measured: seconds per megapixel, on so many cores."""

    log: LogRate
    cores: int


@dataclass(frozen=True)
class MeasuredRates:
    """The rates one projection stands on, all of one device and one size of a workload."""

    train: LogRate  # images
    infer: LogRate | None  # images; None: evaluation is left out
    decode: Decoding | None  # None: decoding is left out
    start_up: float  # seconds: import, build, cold compilation, also of the predictor, first step
    infer_start_up: float  # the same, of inference
    shares_cores: bool  # the device is the host's processor
    infer_ready: float = 0.0  # seconds to build a predictor and take its executable from the cache
    watts: LogRate | None = None  # draw of the device while it trained, joules a second; None where it was not measured

    def of_one_process(self) -> MeasuredRates:
        """The same with intervals that hold for a single process, not for the mean over many: prediction instead of confidence.

        A process differs from the mean of all by the scatter between processes, s, and that mean is known to s / sqrt(n): in
        all s sqrt(1 + 1/n).
        """
        infer = None if self.infer is None else _one(self.infer)
        decode = None if self.decode is None else replace(self.decode, log=_one(self.decode.log))
        return replace(self, train=_one(self.train), infer=infer, decode=decode)

    def of_units(self, units: tuple[Place, ...]) -> MeasuredRates:
        """The same as these of their units measured it, which all of its rates have."""
        infer = None if self.infer is None else of_units(self.infer, units)
        decode = None if self.decode is None else replace(self.decode, log=of_units(self.decode.log, units))
        return replace(self, train=of_units(self.train, units), infer=infer, decode=decode)

    def of_unit(self, place: int) -> MeasuredRates:
        """The same as one of their units measured it, a round or a record; for rates that are of the same ones."""
        infer = None if self.infer is None else _alone(self.infer, place)
        decode = None if self.decode is None else replace(self.decode, log=_alone(self.decode.log, place))
        return replace(self, train=_alone(self.train, place), infer=infer, decode=decode)

    def without(self, *, infer: bool, decode: bool) -> MeasuredRates:
        """The same with what another device lacks left out."""
        return replace(self, infer=None if infer else self.infer, decode=None if decode else self.decode)


def _one(log: LogRate) -> LogRate:
    error = None if log.standard_error is None else log.standard_error * math.sqrt(log.n + 1)
    return replace(log, standard_error=error)


def _alone(log: LogRate, place: int) -> LogRate:
    return LogRate(log.values[place], None, 0, 1)


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
    parts: dict[str, float]  # seconds of one training by what sets their pace: train, decode, evaluate, start-up
    binds: str  # the largest of them
    decoded_per_second: float | None  # P, images
    cores_to_feed: int | None  # cores whose decoding would keep up with training, extrapolated linearly
    trainings_per_interval: Estimate  # between one retraining and the next
    trainings_per_year: float  # as often as the retraining interval says
    energy: Estimate | None  # joules of one training, of all devices; None where no draw was measured


@dataclass(frozen=True)
class _Pace:
    """What the assumptions make of measured seconds per image."""

    compute: float
    decode: float

    @classmethod
    def of(cls, measured: MeasuredRates, assumptions: Assumptions) -> _Pace:
        together = 1 / (assumptions.devices * assumptions.parallel_efficiency)
        if measured.shares_cores:
            return cls(together, together)
        cores = assumptions.decode_cores
        return cls(together, 1.0 if cores is None or measured.decode is None else measured.decode.cores / cores)


def project(measured: MeasuredRates, assumptions: Assumptions, epochs: int) -> Projection:
    """Project one setting of one device to the whole project."""
    pace = _Pace.of(measured, assumptions)
    decode = _decode_seconds(measured, assumptions, pace)
    parts = _parts(measured, assumptions, epochs, pace)
    training = estimate(sum(parts.values()), _training_draws(measured, assumptions, epochs))
    feed = None
    if measured.decode is not None and not measured.shares_cores:
        unscaled = math.exp(measured.decode.log.mean) * assumptions.dataset.megapixels
        feed = math.ceil(unscaled / (math.exp(measured.train.mean) * pace.compute) * measured.decode.cores - 1e-9)
    return Projection(
        training=training,
        tuning_loop=training.scaled(assumptions.tuning_runs),
        trainings_per_week=inverse(training, WEEK_HOURS * 3600),
        ensemble=_members(training, assumptions.budget_hours * 3600),
        screening=_screening(measured, assumptions),
        parts=parts,
        binds=max(parts, key=parts.__getitem__),
        decoded_per_second=None if decode is None else 1 / decode,
        cores_to_feed=feed,
        trainings_per_interval=inverse(training, assumptions.retrain_days * DAY_SECONDS),
        trainings_per_year=YEAR_DAYS / assumptions.retrain_days,
        energy=_energy(measured, training, assumptions, epochs),
    )


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
    sides, left_out = _alike(reference, candidate)
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
    decodes = [side.decode.log for side in sides if side.decode is not None]
    logs = [log for side in sides for log in (side.train, side.infer) if log is not None] + decodes
    units = shared_units(*logs)
    return (sides[0].of_units(units), sides[1].of_units(units)) if units else None


def _alike(
    reference: MeasuredRates, candidate: MeasuredRates
) -> tuple[tuple[MeasuredRates, MeasuredRates], tuple[str, ...]]:
    infer = reference.infer is None or candidate.infer is None
    decode = reference.decode is None or candidate.decode is None
    left_out = tuple(name for name, out in (("evaluation", infer), ("decoding", decode)) if out)
    return (reference.without(infer=infer, decode=decode), candidate.without(infer=infer, decode=decode)), left_out


@dataclass(frozen=True)
class BreakEven:
    """From how many images on one device finishes a training before another."""

    kind: Literal["always", "never", "from", "up to"]
    images: float | None = None  # of the data set, validation included


def break_even(reference: MeasuredRates, candidate: MeasuredRates, assumptions: Assumptions, epochs: int) -> BreakEven:
    """Where the candidate's training overtakes the reference's as the data set grows or shrinks, all else as assumed.

    Both take a fixed time, f (start-up, and a predictor for every evaluation), and a time per image, c; they meet at
    (f_candidate - f_reference) / (c_reference - c_candidate) images. What one of them lacks counts on neither.
    """
    (fixed, slope), (other_fixed, other_slope) = (
        _line(side, assumptions, epochs) for side in _alike(reference, candidate)[0]
    )
    later, steeper = other_fixed - fixed, other_slope - slope
    if later >= 0 and steeper >= 0:
        return BreakEven("never")
    if later <= 0 and steeper <= 0:
        return BreakEven("always")
    return BreakEven("from" if later > 0 else "up to", later / -steeper)


def _line(measured: MeasuredRates, assumptions: Assumptions, epochs: int) -> tuple[float, float]:
    """Seconds of a training without an image, and per image of the data set."""
    total = sum(_parts(measured, assumptions, epochs, _Pace.of(measured, assumptions)).values())
    fixed = measured.start_up + (0.0 if measured.infer is None else epochs * measured.infer_ready)
    return fixed, (total - fixed) / assumptions.dataset.images


def _decode_seconds(measured: MeasuredRates, assumptions: Assumptions, pace: _Pace) -> float | None:
    """1/P: seconds to decode one image of the data set."""
    if measured.decode is None:
        return None
    return math.exp(measured.decode.log.mean) * assumptions.dataset.megapixels * pace.decode


def _parts(measured: MeasuredRates, assumptions: Assumptions, epochs: int, pace: _Pace) -> dict[str, float]:
    """Seconds of one training by what sets their pace."""
    data = assumptions.dataset
    decode = _decode_seconds(measured, assumptions, pace)
    parts = {"train": 0.0, "decode": 0.0, "evaluate": 0.0, "start-up": measured.start_up}
    phases = [("train", math.exp(measured.train.mean) * pace.compute, data.training_images)]
    if measured.infer is not None:
        phases.append(("evaluate", math.exp(measured.infer.mean) * pace.compute, data.validation_images))
    for name, seconds, images in phases:
        if decode is None or (not measured.shares_cores and seconds >= decode):
            parts[name] += epochs * images * seconds
        elif measured.shares_cores:
            parts[name] += epochs * images * seconds
            parts["decode"] += epochs * images * decode
        else:
            parts["decode"] += epochs * images * decode
    if measured.infer is not None:
        parts["evaluate"] += epochs * measured.infer_ready
    return parts


def _training_draws(measured: MeasuredRates, assumptions: Assumptions, epochs: int) -> NDArray[np.float64] | None:
    """Draws of T_train; None where one of its rates comes from a single trial."""
    if not _all_have_spread(measured.train, measured.infer, measured.decode):
        return None
    data, pace = assumptions.dataset, _Pace.of(measured, assumptions)
    images = _paced(measured.train, measured, data.megapixels, pace, seconds_per_item) * data.training_images
    if measured.infer is not None:
        images = images + _paced(measured.infer, measured, data.megapixels, pace, seconds_per_item) * data.validation_images
        images = images + measured.infer_ready
    return measured.start_up + epochs * images


def _screening(measured: MeasuredRates, assumptions: Assumptions) -> Estimate | None:
    """Inference over every image of the data set, once."""
    if measured.infer is None:
        return None
    data, pace = assumptions.dataset, _Pace.of(measured, assumptions)
    value = data.images * float(_paced(measured.infer, measured, data.megapixels, pace, _point)[0])
    if not _all_have_spread(measured.infer, measured.decode):
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
    if measured.decode is None:
        return seconds
    decode = draw(measured.decode.log) * megapixels * pace.decode
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


def _members(training: Estimate, budget: float) -> Members:
    low = None if training.high is None else math.floor(budget / training.high)
    high = None if training.low is None else math.floor(budget / training.low)
    return Members(math.floor(budget / training.value), low, high)
