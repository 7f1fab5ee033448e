"""A whole training: a workload from its first weights to its target, or to the end of its schedule, evaluated on the way.

The clock starts with the first batch and runs through evaluations; importing, loading images and compiling lie before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bench.contract import TEST, TRAIN, VALIDATION, Backend, Pending, Settings, Trainer, Workload
from bench.errors import DataError
from bench.in_flight import in_flight
from bench.recipes import evaluation_batch
from bench.record.quality import reached
from bench.record.schema import Evaluation
from bench.spec import Weights
from bench.verify.batches import Batch
from bench.verify.equivalence import Subject
from bench.worker.augment import epoch_batches
from bench.worker.feed import load_arrays, load_split
from bench.worker.quality import measures, predicted
from bench.worker.timing import IN_FLIGHT

STEPS_PER_BLOCK = 16
AVERAGED_PER_EPOCH = 8
LAST_RATE = 1e-3
"""The schedule ends at this fraction of its peak and not at 0, so that the last steps can be seen to move the weights."""

Predictions = NDArray[np.float64]


@dataclass(frozen=True)
class Images:
    """What Prepare wrote, and which of it is for what."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    parts: dict[int, NDArray[np.int64]]


PARTS = {VALIDATION: "validation", TEST: "test"}


def load_images(folder: Path, workload: Workload, judged: Sequence[int] = (VALIDATION, TEST)) -> Images:
    """Raises DataError where there is too little to train with, or in the parts that are ``judged``, to judge by."""
    images, labels = load_arrays(folder)
    split = load_split(folder)
    parts = {part: np.flatnonzero(split == part) for part in (TRAIN, VALIDATION, TEST)}
    if len(parts[TRAIN]) < workload.batch_size:
        raise DataError(
            f"training needs at least one batch of {workload.batch_size} images; the training part holds {len(parts[TRAIN])}"
        )
    for part in judged:
        if len(np.unique(labels[parts[part]])) < 2:
            classes = "one class only" if len(parts[part]) else "nothing"
            raise DataError(f"the {PARTS[part]} part ({len(parts[part])} images) holds {classes}; an AUC needs two classes")
    return Images(images, labels, parts)


def scheduled(workload: Workload, epochs: int, images: int) -> Workload:
    """The workload with its schedule stretched over ``epochs`` of ``images``; the first epoch warms up."""
    steps = max(1, images // workload.batch_size)
    schedule = workload.optimizer.schedule
    schedule = replace(schedule, warmup_steps=steps, total_steps=epochs * steps, final=schedule.peak * LAST_RATE)
    return replace(workload, optimizer=replace(workload.optimizer, schedule=schedule))


@dataclass
class FullTraining:
    """One training; ``workload`` is scheduled, and its seed decides on weights, order and augmentation."""

    backend: Backend
    workload: Workload
    device: str
    settings: Settings
    data: Images
    on_host: bool = True  # whether the device is the host's processor
    tell: Callable[[Evaluation], None] = lambda point: None
    alive: Callable[[], None] = lambda: None  # called after every block and every batch of an evaluation
    curve: list[Evaluation] = field(default_factory=list)
    steps: int = 0
    step_seconds: list[float] = field(
        default_factory=list
    )  # mean of each epoch's steps, from the first one's start to the last's end
    _average: dict[str, NDArray[np.floating]] | None = None
    _averaged: int = 0

    def build(self) -> Trainer:
        """The trainer, and once a predictor, compiled, so that a compiler's work is over when the clock starts."""
        self.trainer = Subject(self.backend, self.device, self.workload, self.settings).trainer()
        self.predict(self.trainer.weights(), self.data.parts[TRAIN][:1], views=1)
        return self.trainer

    @property
    def steps_per_block(self) -> int:
        """Optimizer steps per block: an epoch at most, where weights are averaged an eighth of one."""
        parts = AVERAGED_PER_EPOCH if self.workload.recipe.averaging else 1
        per_epoch = len(self.data.parts[TRAIN]) // self.workload.batch_size
        return max(1, min(STEPS_PER_BLOCK, per_epoch // parts))

    def run(self, epochs: int, targets: dict[str, float] | None = None) -> None:
        """Train so many epochs, each followed by an evaluation; with targets, no longer than until all of them are reached."""
        started = perf_counter()
        for epoch in range(epochs):
            loss, found = self._epoch(epoch), self.judge(VALIDATION)
            point = Evaluation(
                epoch=epoch + 1,
                steps=self.steps,
                seconds=perf_counter() - started,
                loss=loss if math.isfinite(loss) else None,
                measures=found,
            )
            self.curve.append(point)
            self.tell(point)
            if targets and reached(point, targets):
                return

    def weights(self) -> Weights:
        """What is evaluated: the moving average of the weights where the recipe has one."""
        if self._average is None:
            return self.trainer.weights()
        return {name: value.astype(np.float32) for name, value in self._average.items()}

    def predict(self, weights: Weights, chosen: NDArray[np.int64], views: int | None = None) -> Predictions:
        """Probabilities (n, classes) that these weights give the images ``chosen`` (n,)."""
        settings = replace(self.settings, batch_size=evaluation_batch(self.on_host))
        predictor = Subject(self.backend, self.device, self.workload, settings).predictor(weights)
        views = views or self.workload.recipe.views
        return predicted(predictor, self.data.images, chosen, settings.batch_size, views, self.alive)

    def judge(self, part: int) -> dict[str, float]:
        """Measures on the images of a part; none where it holds one class only."""
        chosen = self.data.parts[part]
        labels = self.data.labels[chosen]
        return measures(self.predict(self.weights(), chosen), labels) if len(np.unique(labels)) > 1 else {}

    def batches(self, epoch: int) -> Iterator[Batch]:
        """An epoch's batches."""
        workload, data = self.workload, (self.data.images, self.data.labels)
        chosen = self.data.parts[TRAIN]
        return epoch_batches(data, chosen, workload.batch_size, workload.recipe, workload.seed, epoch)

    def _epoch(self, epoch: int) -> float:
        """Mean loss over the epoch's steps; two blocks are in flight."""
        before, started = self.steps, perf_counter()
        total = 0.0
        for progress in in_flight(self._launched(epoch), self.trainer.wait, IN_FLIGHT):
            total += float(progress.losses.sum())
        # A block's own time is not to be had: the device may work on it while the host makes the next one.
        self.step_seconds.append((perf_counter() - started) / (self.steps - before))
        return total / (self.steps - before)

    def _launched(self, epoch: int) -> Iterator[Pending]:
        """An epoch's blocks, each on its way."""
        batches = self.batches(epoch)
        while block := [self.trainer.stage(*batch) for batch in islice(batches, self.steps_per_block)]:
            pending = self.trainer.run(block)
            self.steps += len(block)
            yield pending
            self._take_average()
            self.alive()

    def _take_average(self) -> None:
        most = self.workload.recipe.averaging
        if not most:
            return
        now = self.trainer.weights()
        decay = min(most, (1 + self._averaged) / (10 + self._averaged))  # the first weights are worth little
        self._averaged += 1
        if self._average is None:
            self._average = {name: value.astype(np.float64) for name, value in now.items()}
        for name, value in now.items():
            self._average[name] += (1 - decay) * (value - self._average[name])
