import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.images.folder import ImageFile
from workloads.images.groups import equal_contents, equal_lengths, grouped

IDENTIFIERS = st.lists(st.tuples(st.sampled_from(["", "p", "q", "r"]), st.sampled_from(["", "l", "m", "n"])), max_size=12)


def files(*names):
    return [ImageFile(name, 7) for name in names]


@given(rows=IDENTIFIERS)
def test_groups_are_the_connected_components(rows):
    found = grouped(files(*(f"{i}.jpg" for i in range(len(rows)))), rows, [])
    reach = [
        {i} | {j for j in range(len(rows)) if any(a and a == b for a, b in zip(rows[i], rows[j], strict=True))}
        for i in range(len(rows))
    ]
    for _ in rows:
        reach = [set().union(*(reach[j] for j in near)) for near in reach]
    for i in range(len(rows)):
        assert {j for j in range(len(rows)) if found[j] == found[i]} == reach[i]


def test_a_group_has_the_name_of_its_patient_then_its_lesion_then_its_image():
    rows = [("p2", "l1"), ("", "l1"), ("p1", ""), ("", "l3"), ("", ""), ("nan", "None")]
    names = files(*(f"{letter}.jpg" for letter in "abcdef"))
    assert grouped(names, rows, []) == ["p2", "p2", "p1", "l3", "e", "f"]


@pytest.mark.parametrize(
    ("made", "together"),
    [
        (["x.jpg", "x_aug1.jpg", "x-aug2.jpg"], True),
        (["x.jpg", "x (1).jpg", "x - Copy.jpg"], True),
        (["x.jpg", "x_flip.jpg", "x_rot90.jpg"], True),
        (["x_jpg.rf.0123abcd.jpg", "x_jpg.rf.4567abcd.jpg"], True),
        (["x.jpg", "benign_original_x.jpg_01234567-89ab-cdef-0123-456789abcdef.jpg"], True),
        (["x_aug1.jpg", "x_aug2.jpg"], False),
        (["x.jpg", "x_1.jpg"], False),
    ],
)
def test_what_was_made_of_an_image_stays_with_it(made, together):
    assert (len(set(grouped(files(*made), [()] * len(made), []))) == 1) is together


def test_equal_contents_are_found_among_equal_lengths(tmp_path):
    for name, content in {"a": "one", "b": "two", "c": "one", "d": "other", "e": "one"}.items():
        (tmp_path / f"{name}.jpg").write_text(content)
    found = [ImageFile(f"{name}.jpg", (tmp_path / f"{name}.jpg").stat().st_size) for name in "abcde"]

    def read(place):
        return (tmp_path / found[place].relative).read_bytes()

    assert equal_lengths(found) == [0, 1, 2, 4]
    assert equal_contents(equal_lengths(found), read) == [[0, 2, 4]]
    assert len(set(grouped(found, [()] * 5, [[0, 2, 4]]))) == 3
    (tmp_path / "a.jpg").unlink()
    assert equal_contents(equal_lengths(found), read) == [[2, 4]]
