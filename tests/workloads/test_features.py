"""Hand-made features: what they see in drawn spots, and that any picture has some."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.contract import DataRequest
from workloads.features import HEIGHT, WIDTH, darker, features
from workloads.melanoma_shallow import bench_workloads

ASYMMETRY, AREA = (44, 48), 39  # places in the row of 72


def spot(half=False, radius=9.0, size=32):
    """A dark disc, or half of one, on light skin."""
    y, x = np.mgrid[0:size, 0:size] - size / 2 + 0.5
    inside = (y**2 + x**2 < radius**2) & ((y > 0) if half else True)
    image = np.full((size, size, 3), (220, 180, 160), np.uint8)
    image[inside] = (90, 50, 40)
    return image, inside


def row(image):
    return features(image[None]).reshape(-1).astype(int)


def test_the_threshold_parts_a_dark_spot_from_skin():
    image, inside = spot()
    assert np.array_equal(darker(image[None].astype(float) @ np.full(3, 1 / 765))[0], inside)


def test_half_a_disc_is_less_symmetric_and_smaller_than_a_whole_one():
    whole, half = row(spot()[0]), row(spot(half=True)[0])
    assert max(whole[place] for place in ASYMMETRY) == 0
    assert max(half[place] for place in ASYMMETRY) > 200
    assert 0.4 < half[AREA] / whole[AREA] < 0.6


def test_colour_is_seen():
    image, _ = spot()
    blue = image[..., ::-1]
    assert np.abs(row(image) - row(blue)).max() > 50


def test_turning_an_image_by_a_half_changes_next_to_nothing():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert np.abs(row(image) - row(image[::-1, ::-1])).max() <= 8  # borders between pixels are counted on one side


@given(arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(4, 12), st.integers(4, 12), st.just(3))))
def test_any_picture_has_features_and_each_its_own(images):
    found = features(images)
    assert found.shape == (len(images), HEIGHT, WIDTH, 3)
    assert found.dtype == np.uint8
    assert np.array_equal(found[:1], features(images[:1]))


def test_a_file_has_the_features_of_its_picture(tmp_path):
    reader = bench_workloads()[0].data
    images = reader.open(DataRequest(count=8), HEIGHT, WIDTH)
    assert images.read(np.array([5, 2]))[1].tolist() == images.read(np.arange(8))[2].tolist()
    file = reader.files(DataRequest(), tmp_path)[0]
    found, pixels = reader.decode(file, HEIGHT, WIDTH)
    assert found.shape == (HEIGHT, WIDTH, 3)
    assert pixels == 600 * 450
