"""Batches for timing: views, no image twice, and enough of them from a handful of images."""

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


def images_of(feed, batches):
    return [image.tobytes() for _ in range(batches) for image in feed.next()[0]]


@pytest.mark.parametrize("batch_size", [1, 8, 20, 64])
def test_no_image_comes_twice(folder, batch_size):
    """Through all offsets, and on in other colours: 40 images of 36 pixels, or 128 made of them."""
    seen = images_of(Feed(folder, batch_size, seed=1), 4000 // batch_size)
    assert len(seen) >= 2 * 36 * 40
    assert len(set(seen)) == len(seen)


def test_the_first_pass_has_the_images_as_they_are(folder):
    given = {image.tobytes() for image in np.load(folder / "images.npy")}
    assert set(images_of(Feed(folder, 8, seed=1), 5)) == given


def test_batches_are_views_with_their_own_labels(folder):
    feed = Feed(folder, 8, seed=1)
    places = [feed.next_place() for _ in range(6)]
    batches = [feed.batch(place) for place in places]
    assert all(np.shares_memory(images, batches[0][0].base) for images, _ in batches)
    assert all(images.flags.c_contiguous and images.shape == (8, 6, 6, 3) for images, _ in batches)
    for place, (_, labels) in zip(places, batches, strict=True):
        assert labels.tolist() == [(place.pixel // 36 + i) % 2 for i in range(8)]


def test_what_was_in_a_batch_can_be_told_after_the_colours_have_changed(folder):
    feed = Feed(folder, 8, seed=1)
    places, batches, turns = [], [], []
    for _ in range(600):
        places.append(feed.next_place())
        batches.append(feed.batch(places[-1])[0])
        turns.append(places[-1].turn)
    assert turns[-1] >= 3
    for place, images in zip(places[::7], batches[::7], strict=True):
        assert np.array_equal(np.stack([feed.image(place, row) for row in range(8)]), images)


def test_batches_in_flight_stay_as_they_are(folder):
    feed = Feed(folder, 8, seed=1)
    images = feed.next()[0]
    kept = images.copy()
    while feed.next_place().turn < 2:
        pass
    assert np.array_equal(images, kept)


def test_few_images_are_rolled_and_coloured_for_a_large_batch(folder):
    images, labels = Feed(folder, 64, seed=0).next()
    assert images.shape == (64, 6, 6, 3)
    assert len(labels) == 64
    assert len({image.tobytes() for image in images}) == 64


def test_the_order_is_the_seeds(folder):
    first, again, other = (Feed(folder, 8, seed=seed) for seed in (1, 1, 2))
    places = [[feed.next_place() for _ in range(10)] for feed in (first, again, other)]
    assert places[0] == places[1] != places[2]


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
