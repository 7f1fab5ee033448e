import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.spec.weights import raw_words, uniform
from workloads.lesions.streams import bytes_of, uniforms_by_index, words_by_index

INDICES = st.lists(st.integers(0, 60), max_size=40)


@given(indices=INDICES, count=st.sampled_from([4, 12, 64]))
def test_each_index_has_its_piece_of_one_stream(indices, count):
    stream = raw_words("lesions", 61 * count).reshape(-1, count)
    chosen = np.array(indices, np.int64)
    assert np.array_equal(words_by_index("lesions", chosen, count), stream[chosen])


def test_uniforms_are_those_of_the_spec():
    assert np.array_equal(uniforms_by_index("a", np.arange(5), 8).reshape(-1), uniform("a", 40))


def test_far_indices():
    far = words_by_index("lesions", np.array([10**12, 10**12 + 1]), 8)
    assert np.array_equal(far[1], words_by_index("lesions", np.array([10**12 + 1]), 8)[0])


@pytest.mark.parametrize("count", [1, 8, 1001])
def test_bytes_begin_alike_and_differ_by_index(count):
    assert np.array_equal(bytes_of("a", 3, count), bytes_of("a", 3, 5000)[:count])
    assert not np.array_equal(bytes_of("a", 3, 64), bytes_of("a", 4, 64))
    assert np.array_equal(bytes_of("a", 0, 8).view("<u8"), raw_words("a", 1))
