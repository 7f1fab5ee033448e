"""Batches for timing: views, all different, and enough of them from a handful of images."""

from __future__ import annotations

import numpy as np
import pytest

from bench.worker.feed import Feed


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", rng.integers(0, 256, (40, 6, 6, 3), dtype=np.uint8))
    np.save(tmp_path / "labels.npy", np.arange(40, dtype=np.int32) % 2)
    return tmp_path


def test_no_batch_repeats_until_all_starts_are_used(folder):
    feed = Feed(folder, 8, seed=1)
    batches = [feed.next()[0].tobytes() for _ in range(33)]
    assert len(set(batches)) == 33


def test_batches_are_views_with_their_own_labels(folder):
    feed = Feed(folder, 8, seed=1)
    start = feed.next_start()
    images, labels = feed.batch(start)
    assert np.shares_memory(images, feed.images)
    assert labels.tolist() == [(start + i) % 2 for i in range(8)]


def test_few_images_are_repeated_for_a_large_batch(folder):
    images, labels = Feed(folder, 64, seed=0).next()
    assert images.shape == (64, 6, 6, 3)
    assert len(labels) == 64


def test_the_order_is_the_seeds(folder):
    first, again, other = (Feed(folder, 8, seed=seed) for seed in (1, 1, 2))
    starts = [[feed.next_start() for _ in range(10)] for feed in (first, again, other)]
    assert starts[0] == starts[1] != starts[2]
