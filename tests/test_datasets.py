"""Presets of the projection."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.datasets import DATASETS, DEFAULT, adapted, find_dataset
from bench.errors import UsageError
from workloads.images.split import split_by


def test_the_presets_are_what_their_sources_say():
    assert {name: dataset.images for name, dataset in DATASETS.items()} == {
        "ham10000": 10_015,
        "isic2020": 33_126,
        "slice3d": 401_059,
        "archive": 1_000_000_000,
    }
    assert DEFAULT.megapixels == pytest.approx(0.27)


def test_every_preset_has_a_source_and_only_the_archive_is_hypothetical():
    assert all(dataset.source for dataset in DATASETS.values())
    assert [name for name, dataset in DATASETS.items() if dataset.hypothetical] == ["archive"]
    assert "hypothetical" in DATASETS["archive"].title


@pytest.mark.parametrize("name", ["HAM10000", "isic-2020", "ISIC 2024", "slice_3d"])
def test_names_are_found_whatever_their_punctuation(name):
    assert find_dataset(name).images > 0


@pytest.mark.parametrize(("name", "nearest"), [("ham1000", "ham10000"), ("slice3", "slice3d"), ("archives", "archive")])
def test_an_unknown_name_suggests_the_nearest(name, nearest):
    with pytest.raises(UsageError, match=f"did you mean '{nearest}'"):
        find_dataset(name)


def test_a_name_like_no_other_lists_them_all():
    with pytest.raises(UsageError, match=r"expected ham10000, isic2020, slice3d, archive, isic2024$"):
        find_dataset("xyz")


def test_every_image_trains_validates_or_tests():
    for images in (1, 2, 3, 5, 10_015):
        data = adapted(DEFAULT, images=images)
        assert data.training_images + data.validation_images + data.test_images == images
        assert data.training_images >= 1
    assert (DEFAULT.training_images, DEFAULT.validation_images, DEFAULT.test_images) == (7_010, 1_002, 2_003)


def test_the_parts_are_as_large_as_the_tools_own_split_makes_them():
    split = split_by(f"image {index}" for index in range(20_000))
    data = adapted(DEFAULT, images=20_000)
    expected = [data.training_images, data.validation_images, data.test_images]
    assert np.bincount(split).tolist() == pytest.approx(expected, abs=300)  # four and a half deviations of the largest


def test_parts_that_are_known_are_taken_as_they_are():
    data = replace(DEFAULT, images=60, parts=(30, 20, 10))
    assert (data.training_images, data.validation_images, data.test_images) == (30, 20, 10)


def test_what_the_user_changes_is_said():
    data = adapted(DATASETS["isic2020"], images=500, megapixels=3.5)
    assert "500 images" in data.title
    assert "given by the user" in data.source
    assert not data.assumed


@pytest.mark.parametrize(
    "changes",
    [
        {"images": 0},
        {"images": -5},
        {"images": 10**30},
        {"megapixels": 0.0},
        {"megapixels": math.nan},
        {"megapixels": math.inf},
    ],
)
def test_no_data_set_beyond_reason(changes):
    with pytest.raises(UsageError, match="expected"):
        adapted(DEFAULT, **changes)
