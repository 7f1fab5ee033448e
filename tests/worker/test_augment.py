"""Augmentation from seeded streams: the same batches for every backend, and nothing but flips, turns and small shifts."""

from __future__ import annotations

import numpy as np
import pytest

from bench.contract import Recipe
from bench.worker.augment import epoch_batches, seconds_per_batch, shifted

PLAIN = Recipe(flips=False)


def data(count=20):
    images = np.arange(count * 4 * 4 * 3, dtype=np.uint32).reshape(count, 4, 4, 3).astype(np.uint8)
    return images, np.arange(count, dtype=np.int32)


def batches(seed=0, epoch=0, recipe=PLAIN, chosen=None):
    return list(epoch_batches(data(), np.arange(20) if chosen is None else chosen, 8, recipe, seed, epoch))


def test_an_epoch_shows_each_image_once_and_drops_the_partial_batch():
    labels = np.concatenate([labels for _, labels in batches()])
    assert len(labels) == len(set(labels.tolist())) == 16


def test_only_the_chosen_images_are_shown():
    found = batches(chosen=np.arange(3, 12))
    assert set(found[0][1].tolist()) < set(range(3, 12))
    for image, label in zip(*found[0], strict=True):
        assert np.array_equal(image, data()[0][label])


def test_augmentation_only_flips_and_turns():
    images, _ = data()
    seen = set()
    for batch, labels in batches(seed=3, epoch=1, recipe=Recipe()):
        for image, label in zip(batch, labels, strict=True):
            original = images[label]
            views = [np.rot90(side, turn) for side in (original, original[:, ::-1]) for turn in range(4)]
            (found,) = [index for index, known in enumerate(views) if np.array_equal(image, known)]
            seen.add(found)
    assert len(seen) > 4


@pytest.mark.parametrize("recipe", [PLAIN, Recipe(), Recipe(shift=1)])
def test_epochs_and_seeds_differ_and_repeat(recipe):
    def first(seed, epoch):
        return batches(seed, epoch, recipe)[0][0].tobytes()

    assert first(0, 0) == first(0, 0)
    assert len({first(0, 0), first(0, 1), first(1, 0)}) == 3


def test_a_shift_moves_the_middle_and_mirrors_the_edge():
    images = np.random.default_rng(0).integers(0, 256, (32, 6, 7, 3), dtype=np.uint8)
    moved = shifted(images, 2, np.random.default_rng(1))
    for before, after in zip(images, moved, strict=True):
        padded = np.pad(before, ((2, 2), (2, 2), (0, 0)), mode="reflect")
        windows = [padded[y : y + 6, x : x + 7] for y in range(5) for x in range(5)]
        assert any(np.array_equal(after, window) for window in windows)
    assert any(not np.array_equal(*pair) for pair in zip(images, moved, strict=True))


def test_the_time_of_a_batch_is_the_median_over_batches(monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 3.5])
    monkeypatch.setattr("bench.worker.augment.LONGEST", 100.0)
    monkeypatch.setattr("bench.worker.augment.perf_counter", clock.__next__)
    assert seconds_per_batch(data(24), 8, PLAIN, 0) == 1.0


def test_no_further_batch_is_timed_when_the_time_is_up(monkeypatch):
    clock = iter([0.0, 1.5])
    monkeypatch.setattr("bench.worker.augment.perf_counter", clock.__next__)
    assert seconds_per_batch(data(24), 8, PLAIN, 0) == 1.5
