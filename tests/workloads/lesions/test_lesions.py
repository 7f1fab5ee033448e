import hashlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.lesions import SyntheticLesions
from workloads.lesions.signs import draw, unit_vectors

LESIONS = SyntheticLesions()


@settings(max_examples=25)
@given(
    indices=st.lists(st.integers(0, 5000), min_size=1, max_size=12),
    seed=st.integers(0, 2**64),
    size=st.sampled_from([(28, 28), (20, 33), (150, 200), (260, 260)]),
)
def test_an_image_depends_on_seed_index_and_size_alone(indices, seed, size):
    chosen = np.array(indices, np.int64)
    together = LESIONS.images(seed, chosen, *size)
    labels = LESIONS.labels(seed, chosen)
    for place in (0, len(indices) - 1):
        alone = chosen[place : place + 1]
        assert np.array_equal(LESIONS.images(seed, alone, *size)[0], together[place])
        assert LESIONS.labels(seed, alone)[0] == labels[place]


@pytest.mark.parametrize("size", [(28, 28), (64, 64), (450, 600), (33, 20), (1, 1)])
def test_shapes(size):
    images = LESIONS.images(0, np.arange(3), *size)
    assert images.shape == (3, *size, 3)
    assert images.dtype == np.uint8
    assert LESIONS.images(0, np.empty(0, np.int64), *size).shape == (0, *size, 3)
    assert LESIONS.labels(0, np.empty(0, np.int64)).dtype == np.int32


def test_images_and_labels_are_the_same_for_ever():
    """Raise ``version`` when these change."""
    digest = hashlib.sha256()
    for size in ((28, 28), (64, 64), (45, 60)):
        digest.update(LESIONS.images(7, np.arange(40), *size).tobytes())
    labels = LESIONS.labels(7, np.arange(2000))
    assert LESIONS.version == 1
    assert hashlib.sha256(labels.astype("<i4").tobytes()).hexdigest()[:16] == "b64ac87f08f8c522"
    assert digest.hexdigest()[:16] == "031c03a9386eaed3"


@pytest.mark.parametrize("seed", range(4))
def test_prevalence_and_noise_of_the_labels(seed):
    draws = draw(seed, np.arange(8000))
    assert 0.2 < draws.labels.mean() < 0.3
    assert abs(draws.labels.mean() - draws.probability.mean()) < 0.015
    assert draws.probability.min() >= 0.02
    assert draws.probability.max() <= 0.98
    wrong = np.minimum(draws.probability, 1 - draws.probability).mean()  # what no reader of the images can do better than
    assert 0.04 < wrong < 0.12


def test_every_sign_counts_and_none_is_enough():
    draws = draw(0, np.arange(8000))
    ill = draws.labels == 1
    for sign in draws.signs.T:
        gap = sign[ill].mean() - sign[~ill].mean()
        assert 1.0 < gap / sign.std() < 2.2
        assert sign.min() >= 0
        assert sign.max() < 1


def test_seeds_differ():
    first, second = (LESIONS.images(seed, np.arange(4), 28, 28) for seed in (0, 1))
    assert np.abs(first.astype(int) - second).mean() > 10


def test_images_look_like_photographs_of_skin():
    images = LESIONS.images(0, np.arange(300), 64, 64)
    assert 90 < images.mean() < 190
    red, green, blue = images.reshape(-1, 3).mean(axis=0)
    assert red > green
    assert red > blue
    assert (images == 255).mean() < 0.03
    assert images.std(axis=(1, 2, 3)).min() > 5


def test_sizes_show_the_same_lesion():
    small, large = LESIONS.images(0, np.arange(60), 32, 32), LESIONS.images(0, np.arange(60), 128, 128)
    shrunk = large.reshape(60, 32, 4, 32, 4, 3).mean(axis=(2, 4))
    for one, other in zip(small, shrunk, strict=True):
        assert np.corrcoef(one.reshape(-1), other.reshape(-1))[0, 1] > 0.85


def test_memory_is_bounded():
    indices = np.arange(1500)
    tracemalloc.start()
    images = LESIONS.images(0, indices, 64, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - images.nbytes < 16 * 2**20


def test_directions_are_unit_vectors_all_around():
    vectors = unit_vectors(np.linspace(0, 1, 8001)[:-1])
    assert np.allclose((vectors**2).sum(axis=1), 1)
    angles = np.histogram(np.arctan2(vectors[:, 1], vectors[:, 0]), 16, (-np.pi, np.pi))[0]
    assert np.abs(angles / 500 - 1).max() < 0.12
