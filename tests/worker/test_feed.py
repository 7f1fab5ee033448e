"""Batches for timing: views, all different, and enough of them from a handful of images."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.worker.feed import FILES, Feed, FileFeed
from tests.support.misbehaving import workload


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


class Numbers:
    """Files whose name is the colour of the picture in them."""

    def decode(self, file, height, width):
        return np.full((height, width, 3), int(file.name), np.uint8), height * width


@pytest.mark.parametrize("ahead", [False, True])
def test_files_are_decoded_in_an_order_drawn_anew(tmp_path, ahead):
    (tmp_path / FILES).write_text(json.dumps([str(number) for number in range(12)]))
    feed = FileFeed(tmp_path, workload(data=Numbers()), 6, seed=1, threads=2, ahead=ahead)
    batches = [feed.next() for _ in range(4)]
    assert batches[0][0].shape == (6, 8, 8, 3)
    assert all(labels.tolist() == [0, 1, 0, 1, 0, 1] for _, labels in batches)
    seen = [[int(image[0, 0, 0]) for image in images] for images, _ in batches]
    assert all((images == images[:, :1, :1, :1]).all() for images, _ in batches)
    assert sorted(seen[0] + seen[1]) == sorted(seen[2] + seen[3]) == list(range(12))
    assert seen[0] + seen[1] != seen[2] + seen[3]


def test_a_file_that_cannot_be_decoded_ends_the_feed(tmp_path):
    (tmp_path / FILES).write_text(json.dumps(["1", "broken"]))
    feed = FileFeed(tmp_path, workload(data=Numbers()), 4, seed=1, threads=2, ahead=True)
    with pytest.raises(ValueError, match="broken"):
        feed.next()
