"""Measures of predictions, and predictions averaged over views."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.worker.quality import constant_measures, measures, predicted, view


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2, max_size=40))
def test_the_area_of_two_classes_counts_pairs(pairs):
    scores, labels = np.array([s for s, _ in pairs]), np.array([y for _, y in pairs], np.int32)
    positive, negative = scores[labels == 1], scores[labels == 0]
    assume(len(positive) and len(negative))
    wins = (positive[:, None] > negative).sum() + 0.5 * (positive[:, None] == negative).sum()
    found = measures(np.stack([1 - scores, scores], 1), labels)["auc"]
    # 1 - s loses bits of the smallest scores, which can tie what was apart.
    assert found == pytest.approx(wins / (len(positive) * len(negative)), abs=1e-6) or len(set(1 - scores)) < len(
        set(scores)
    )


def test_the_area_of_many_classes_is_the_mean_over_those_that_occur():
    labels = np.array([0, 0, 1, 1], np.int32)
    predictions = np.array([[0.8, 0.1, 0.1], [0.1, 0.5, 0.4], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1]])
    assert measures(predictions, labels) == {"auc": pytest.approx((0.5 + 1.0) / 2), "accuracy": 0.75}


def test_a_constant_answer_reaches_half_an_area_and_the_largest_class():
    labels = np.array([0, 1, 2, 2], np.int32)
    constant = np.tile([0.2, 0.2, 0.6], (4, 1))
    assert constant_measures(labels) == measures(constant, labels) == {"auc": 0.5, "accuracy": 0.5}
    assert constant_measures(np.zeros(0, np.int32)) == {}


BATCH = 256


class Corner:
    """Predicts from the brightness of one corner, so that every view gives something else."""

    def stage(self, images):
        assert images.shape[0] == BATCH
        return images

    def run(self, images):
        return images[:, 0, -1, 0] / 255

    def wait(self, bright):
        return np.stack([1 - bright, bright], 1).astype(np.float32)


@pytest.mark.parametrize("views", [1, 2, 4, 8])
def test_views_are_averaged_and_padding_is_dropped(views):
    images = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 3), dtype=np.uint8)
    chosen = np.arange(0, 300)[::-1][:270]
    found = predicted(Corner(), images, chosen, BATCH, views)
    expected = np.mean([view(images[chosen], number)[:, 0, -1, 0] / 255 for number in range(views)], axis=0)
    assert found.shape == (270, 2)
    assert np.allclose(found[:, 1], expected, atol=1e-6)


def test_the_eight_views_of_a_square_differ():
    images = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    assert len({view(images, number).tobytes() for number in range(8)}) == 8


def test_oblong_images_are_only_mirrored():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    assert np.array_equal(
        predicted(Corner(), images, np.arange(5), BATCH, 8), predicted(Corner(), images, np.arange(5), BATCH, 4)
    )
