"""What a projection starts from: the rates that were measured, and how many images and predictors one training has."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bench.datasets import Dataset
from bench.statistics.rates import LogRate, Place
from bench.statistics.ratios import of_units


@dataclass(frozen=True)
class Decoding:
    """Preprocessing as measured: seconds per megapixel, on so many cores."""

    log: LogRate
    cores: int


@dataclass(frozen=True)
class Batches:
    """How a training cuts its images into batches, in images."""

    training: int = 1
    evaluation: int = 1
    views: int = 1  # of each image in an evaluation

    def trained(self, images: int) -> int:
        """Return how many images an epoch trains on: full batches, and at least one."""
        return max(1, images // self.training) * self.training

    def predicted(self, images: int) -> int:
        """Return how many images an evaluation computes: every view of each, the last batch filled up."""
        return -(-images // self.evaluation) * self.evaluation * self.views


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
    augment: float | None = None  # seconds that the host takes to change one image at random; None: left out
    batches: Batches = Batches()
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

    def without(self, *, infer: bool, decode: bool, augment: bool) -> MeasuredRates:
        """The same with what another device lacks left out."""
        return replace(
            self,
            infer=None if infer else self.infer,
            decode=None if decode else self.decode,
            augment=None if augment else self.augment,
        )


def _one(log: LogRate) -> LogRate:
    error = None if log.standard_error is None else log.standard_error * math.sqrt(log.n + 1)
    return replace(log, standard_error=error)


def _alone(log: LogRate, place: int) -> LogRate:
    return LogRate(log.values[place], None, 0, 1)


@dataclass(frozen=True)
class Counts:
    """Images that one training handles, and predictors that it builds."""

    trained: int
    predicted: int  # by evaluations: all views, full batches
    evaluated: int  # of those, images that have to be decoded
    built: int  # predictors

    @classmethod
    def of(cls, measured: MeasuredRates, data: Dataset, epochs: int) -> Counts:
        """Return what a training of so many epochs on these images handles."""
        batches, validation, test = measured.batches, data.validation_images, data.test_images
        return cls(
            trained=epochs * batches.trained(data.training_images),
            predicted=epochs * batches.predicted(validation) + batches.predicted(test),
            evaluated=epochs * validation + test,
            built=1 + epochs * (validation > 0) + (test > 0),
        )
