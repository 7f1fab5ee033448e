"""Augmentation from seeded streams, the schedule of a whole training, and the area under the ROC curve."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.contract import Progress
from bench.worker.jobs import PluginRef, Train
from bench.worker.train import _fit, area_under_curve, epoch_batches, scheduled
from tests.support.misbehaving import workload


def data(count=20):
    images = np.arange(count * 4 * 4 * 3, dtype=np.uint32).reshape(count, 4, 4, 3).astype(np.uint8)
    return images, np.arange(count, dtype=np.int32)


def test_an_epoch_shows_each_image_once_and_drops_the_partial_batch():
    batches = list(epoch_batches(data(), 8, seed=0, epoch=0))
    labels = np.concatenate([labels for _, labels in batches])
    assert [len(labels) for _, labels in batches] == [8, 8]
    assert len(set(labels.tolist())) == 16


def test_augmentation_only_flips_and_turns():
    images, _ = data()
    for batch, labels in epoch_batches(data(), 8, seed=3, epoch=1):
        for image, label in zip(batch, labels, strict=True):
            original = images[label]
            views = [np.rot90(side, turn) for side in (original, original[:, ::-1]) for turn in range(4)]
            assert any(np.array_equal(image, view) for view in views)


def test_epochs_and_seeds_differ_and_repeat():
    def first(seed, epoch):
        return next(epoch_batches(data(), 8, seed, epoch))[0].tobytes()

    assert first(0, 0) == first(0, 0)
    assert len({first(0, 0), first(0, 1), first(1, 0)}) == 3


def test_the_schedule_spans_the_whole_training():
    schedule = scheduled(workload(batch_size=16), epochs=5, images=170).optimizer.schedule
    assert (schedule.warmup_steps, schedule.total_steps) == (10, 50)
    assert schedule.at(50) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2, max_size=40))
def test_the_area_counts_pairs(pairs):
    scores, labels = np.array([s for s, _ in pairs]), np.array([y for _, y in pairs], np.int32)
    positive, negative = scores[labels == 1], scores[labels == 0]
    if not (len(positive) and len(negative)):
        return
    wins = (positive[:, None] > negative).sum() + 0.5 * (positive[:, None] == negative).sum()
    assert area_under_curve(scores, labels) == pytest.approx(wins / (len(positive) * len(negative)))


class Counting:
    """A trainer that counts the batches of each block."""

    def __init__(self):
        self.blocks = []

    def stage(self, images, labels):
        return labels

    def run(self, block):
        self.blocks.append(len(block))
        return len(block)

    def wait(self, steps):
        return Progress(np.ones(steps), 0.0)

    def weights(self):
        return {}


def test_no_batch_of_an_epoch_is_left_out():
    trainer = Counting()
    backend = SimpleNamespace(trainer=lambda *arguments: trainer)
    job = Train(
        backend=PluginRef("p", "p"), name="p", device="d", precision="fp32", threads=1, workload=PluginRef("p", "p"),
        workload_name="dots", size="small", prepared="", epochs=2, seed=0,
    )  # fmt: skip
    channel = SimpleNamespace(stage=lambda name: None, beat=lambda *arguments: None)
    _, losses = _fit(backend, workload(batch_size=8), job, data(8 * 40), channel)
    assert trainer.blocks == [16, 16, 8] * 2
    assert losses == [1.0, 1.0]
