import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.contract import TEST, TRAIN, VALIDATION
from workloads.images.split import split_as_given, split_by

GROUPS = st.lists(st.text(max_size=8), max_size=60)


@given(groups=GROUPS)
def test_one_group_never_falls_into_two_parts(groups):
    split = split_by(groups)
    assert len(split) == len(groups)
    assert len(set(zip(groups, split.tolist(), strict=True))) == len(set(groups))


@given(groups=GROUPS, others=GROUPS)
def test_a_group_stays_where_it_is_whatever_else_there_is(groups, others):
    assert np.array_equal(split_by(others + groups)[len(others) :], split_by(groups))


def test_shares_are_70_10_20():
    counts = np.bincount(split_by(f"lesion {i}" for i in range(20_000))) / 20_000
    assert np.abs(counts[[TRAIN, VALIDATION, TEST]] - [0.7, 0.1, 0.2]).max() < 0.01


def test_is_the_same_for_ever():
    assert split_by(f"HAM_{i:07d}" for i in range(16)).tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 2, 2, 0, 2, 2, 2, 0, 0]


def test_names_that_are_no_unicode():
    assert len(split_by(["\udcff"])) == 1


def test_a_missing_part_is_taken_from_its_neighbour():
    groups = [f"lesion {i}" for i in range(20_000)]
    given_ = np.array([TRAIN, TEST] * 10_000, np.uint8)
    split = split_as_given(given_, groups)
    assert np.array_equal(split == TEST, given_ == TEST)
    assert abs((split[given_ == TRAIN] == VALIDATION).mean() - 0.1 / 0.8) < 0.01
    split = split_as_given(np.array([TRAIN, VALIDATION] * 10_000, np.uint8), groups)
    assert (split[::2] == TRAIN).all()
    assert abs((split[1::2] == TEST).mean() - 2 / 3) < 0.02
    whole = np.array([TRAIN, VALIDATION, TEST, TEST] * 5_000, np.uint8)
    assert np.array_equal(split_as_given(whole, groups), whole)
