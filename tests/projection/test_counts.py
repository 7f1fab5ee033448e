"""What a projection counts is what a whole training does: images trained on and predicted, predictors built."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from bench.contract import TEST, TRAIN, VALIDATION, Recipe, Settings
from bench.datasets import Dataset
from bench.projection.assumptions import Assumptions
from bench.projection.counted import Batches, MeasuredRates
from bench.projection.model import project
from bench.recipes import evaluation_batch
from bench.statistics.rates import LogRate
from bench.worker.full_training import FullTraining, Images, scheduled
from tests.support.misbehaving import Misbehaving, workload

ONE_A_SECOND = LogRate(0.0, 0.0, 2, 3)
READY = 1e6  # seconds, so that predictors can be told from images


@dataclass
class Counting:
    """A trainer or predictor that counts what it is handed."""

    made: object
    name: str
    counts: Counter[str]

    def stage(self, images, *labels):
        self.counts[self.name] += len(images)
        return self.made.stage(images, *labels)

    def __getattr__(self, name):
        return getattr(self.made, name)


@dataclass
class CountingBackend(Misbehaving):
    """Counts what its trainers and predictors are handed, and how many predictors there are."""

    counts: Counter[str] = field(default_factory=Counter)

    def trainer(self, *given):
        return Counting(super().trainer(*given), "trained", self.counts)

    def predictor(self, *given):
        self.counts["built"] += 1
        return Counting(super().predictor(*given), "predicted", self.counts)


def data(parts):
    count = sum(parts)
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    ends = np.cumsum(parts)
    chosen = {TRAIN: np.arange(ends[0]), VALIDATION: np.arange(ends[0], ends[1]), TEST: np.arange(ends[1], count)}
    return Images(pixels, (np.arange(count) % 2).astype(np.int32), chosen)


@pytest.mark.parametrize("parts", [(43, 70, 130), (48, 64, 2), (43, 0, 66)])
@pytest.mark.parametrize(("on_host", "views"), [(True, 4), (False, 2)])
def test_a_projection_counts_what_a_training_does(parts, on_host, views):
    epochs, backend = 3, CountingBackend()
    subject = scheduled(workload(batch_size=8, recipe=Recipe(views=views)), epochs, parts[0])
    training = FullTraining(backend, subject, "test:0", Settings("float64", 8, 1), data(parts), on_host)
    training.build()
    training.run(epochs)
    training.judge(TEST)

    batches = Batches(8, evaluation_batch(on_host), views)
    measured = MeasuredRates(ONE_A_SECOND, ONE_A_SECOND, None, 0.0, 0.0, on_host, infer_ready=READY, batches=batches)
    assumed = Assumptions(dataset=Dataset("own", "own images", sum(parts), 1.0, "a test", parts=parts))
    found = project(measured, assumed, epochs).parts
    assert found["train"] == backend.counts["trained"]
    assert divmod(found["evaluate"], READY) == (backend.counts["built"], backend.counts["predicted"])
    seen = project(replace(measured, infer=None), assumed, epochs)
    assert seen.training.value == backend.counts["trained"]
