"""Golden batches: the same on every machine, and any size of batch from a few images."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from bench.errors import UsageError
from bench.spec import Network, sequential
from bench.verify.batches import MOST_BASE_IMAGES, base_size, golden_batches, tile

NETWORK = Network(12, 10, 3, sequential())


def test_bytes_are_literal():
    """Whoever changes them changes every golden file, and must mean it."""
    (images, labels), _ = golden_batches(NETWORK, 2, 4, "label")
    assert (
        hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
        == "2d81edd7a2f1b05bd0014aba19db75d11cd4a8d6efae774ef2bf919e12792163"
    )


def test_batches_differ_and_hold_every_class():
    batches = golden_batches(NETWORK, 5, 8, "label")
    assert len({images.tobytes() for images, _ in batches}) == 5
    for images, labels in batches:
        assert images.dtype == np.uint8
        assert images.shape == (8, 12, 10, 3)
        assert labels.dtype == np.int32
        assert set(labels.tolist()) == {0, 1, 2}
        assert len({image.tobytes() for image in images}) == 8


@pytest.mark.parametrize(
    ("batch", "golden", "base"),
    [
        (32, 8, 8),
        (8, 8, 8),
        (24, 8, 8),
        (10, 8, 10),
        (12, 8, 12),
        (20, 8, 10),
        (6, 8, 6),
        (2, 8, 2),
        (34, 8, 2),
        (32, None, 16),
    ],
)
def test_base_size(batch: int, golden: int | None, base: int):
    assert base_size(batch, golden) == base
    assert batch % base == 0
    assert base <= MOST_BASE_IMAGES


@pytest.mark.parametrize("batch", [1, 17, 19, 289])
def test_a_batch_that_no_oracle_can_afford_says_which_size_to_try(batch: int):
    with pytest.raises(UsageError, match=f"batch size {batch} cannot be checked.* try {-(-batch // 8) * 8}"):
        base_size(batch, 8)


def test_tile_repeats_images_with_their_labels():
    batch = golden_batches(NETWORK, 1, 4, "label")[0]
    images, labels = tile(batch, 12)
    for copy in range(3):
        np.testing.assert_array_equal(images[4 * copy : 4 * copy + 4], batch[0])
        np.testing.assert_array_equal(labels[4 * copy : 4 * copy + 4], batch[1])
