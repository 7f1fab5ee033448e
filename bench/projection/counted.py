"""What a projection starts from: the rates that were measured, and how many images and predictors one training has."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from bench.datasets import Dataset
from bench.statistics.rates import LogRate, Place
from bench.statistics.ratios import of_units

MEMORY_SHARE, DISK_SHARE = 0.5, 0.9
"""Of the host's memory, and of what is free on its disk: so much may hold decoded images. What trains needs memory too; both shares are
choices and were not measured."""

Decode = Literal["once", "every-epoch"]
"""When a training decodes its images."""


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
class Room:
    """Where a host could keep decoded images, in bytes; 0 where its record does not say."""

    memory: int = 0  # that a process may use
    disk: int = 0  # free where caches lie
    image: int = 0  # one decoded image, at the size that the network takes

    def keeps(self, images: int) -> Literal["memory", "disk", ""]:
        """Return where so many decoded images fit; empty where they do not, or nobody knows."""
        wanted = images * self.image
        if not wanted:
            return ""
        if wanted <= MEMORY_SHARE * self.memory:
            return "memory"
        return "disk" if wanted <= DISK_SHARE * self.disk else ""


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
    once: Decoding | None = None  # decoding that is done once, before training; ``decode`` is then None
    room: Room = Room()

    @property
    def decoding(self) -> Decoding | None:
        """How images are decoded, whenever that is."""
        return self.decode or self.once

    def settled(self, images: int, wanted: Decode | None) -> MeasuredRates:
        """The same with decoding moved to where it belongs: before training where it is ``wanted`` once, or nothing is wanted and so
        many decoded images fit."""
        if self.decode is None or wanted == "every-epoch" or (wanted is None and not self.room.keeps(images)):
            return self
        return replace(self, decode=None, once=self.decode)

    def of_one_process(self) -> MeasuredRates:
        """The same with intervals that hold for a single process, not for the mean over many: prediction instead of confidence.

        A process differs from the mean of all by the scatter between processes, s, and that mean is known to s / sqrt(n): in
        all s sqrt(1 + 1/n).
        """
        infer = None if self.infer is None else _one(self.infer)
        return replace(self._decoding_by(_one), train=_one(self.train), infer=infer)

    def of_units(self, units: tuple[Place, ...]) -> MeasuredRates:
        """The same as these of their units measured it, which all of its rates have."""
        infer = None if self.infer is None else of_units(self.infer, units)
        decoding = self._decoding_by(partial(of_units, units=units))
        return replace(decoding, train=of_units(self.train, units), infer=infer)

    def of_unit(self, place: int) -> MeasuredRates:
        """The same as one of their units measured it, a round or a record; for rates that are of the same ones."""
        infer = None if self.infer is None else _alone(self.infer, place)
        return replace(self._decoding_by(partial(_alone, place=place)), train=_alone(self.train, place), infer=infer)

    def _decoding_by(self, change: Callable[[LogRate], LogRate]) -> MeasuredRates:
        decode, once = (None if one is None else replace(one, log=change(one.log)) for one in (self.decode, self.once))
        return replace(self, decode=decode, once=once)

    def without(self, *, infer: bool, decode: bool, augment: bool) -> MeasuredRates:
        """The same with what another device lacks left out."""
        return replace(
            self,
            infer=None if infer else self.infer,
            decode=None if decode else self.decode,
            once=None if decode else self.once,
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
