import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from workloads.images.folder import ImageFile
from workloads.images.matching import match
from workloads.images.table import Row, Table


def found(files, rows):
    """Places and labels that match, with the counts of what does not."""
    files = [ImageFile(*file) if isinstance(file, tuple) else ImageFile(file, 7) for file in files]
    rows = [Row(name, label, (group,), line) for line, (name, label, group) in enumerate(rows, 2)]
    matches = match(sorted(files), Table(rows, "dx", ("lesion_id",), False), "table.csv")
    pairs = [(file.relative, row.label) for file, row in zip(matches.files, matches.rows, strict=True)]
    return pairs, matches.rows_without_file, matches.files_without_row


@pytest.mark.parametrize(
    "name", ["ISIC_1", "ISIC_1.jpg", "isic_1.JPG", "part_1/ISIC_1", "x/part_1/ISIC_1.jpg", "part_1\\ISIC_1.jpg"]
)
def test_names_with_or_without_suffix_and_folder(name):
    assert found(["part_1/ISIC_1.jpg", "part_1/ISIC_2.jpg"], [(name, "mel", "")]) == ([("part_1/ISIC_1.jpg", "mel")], 0, 1)


def test_a_row_may_name_another_suffix_or_have_dots():
    assert found(["a.png", "b.c.jpg"], [("a.jpg", "mel", ""), ("b.c", "nv", "")])[0] == [("a.png", "mel"), ("b.c.jpg", "nv")]


def test_composed_and_decomposed_names_are_one():
    composed, decomposed = "L\u00e4sion", "La\u0308sion"
    for file, name in ((composed, decomposed), (decomposed, composed), (decomposed, composed.upper())):
        assert found([f"{file}_1.jpg"], [(f"{name}_1", "mel", "")]) == ([(f"{file}_1.jpg", "mel")], 0, 0)


def test_an_exact_name_wins_over_one_in_another_case():
    both = [("A0.jpg", 5), ("a0.jpg", 6)]
    assert found(both, [("A0.jpg", "mel", ""), ("a0", "nv", "")]) == ([("A0.jpg", "mel"), ("a0.jpg", "nv")], 0, 0)
    assert found(both, [("a0.JPG", "nv", "")]) == ([("a0.jpg", "nv")], 0, 1)
    assert found([("a0.jpg", 6)], [("A0", "mel", ""), ("a0", "nv", "")]) == ([("a0.jpg", "nv")], 1, 0)
    assert found([("a0.jpg", 6)], [("A0", "mel", "")]) == ([("a0.jpg", "mel")], 0, 0)


def test_counts_what_has_no_partner():
    files = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert found(files, [("a", "mel", ""), ("x", "nv", ""), ("y", "nv", ""), ("z", "nv", "")]) == ([("a.jpg", "mel")], 3, 3)


def test_equal_names_in_other_folders_are_told_apart_by_folder():
    files = [("p1/img.jpg", 5), ("p2/img.jpg", 6)]
    assert found(files, [("p1/img.jpg", "mel", ""), ("p2/img", "nv", "")])[0] == [
        ("p1/img.jpg", "mel"),
        ("p2/img.jpg", "nv"),
    ]
    assert found([("p1/img.jpg", 5)], [("p1/img.jpg", "mel", ""), ("p2/img.jpg", "nv", "")])[1:] == (1, 0)
    with pytest.raises(DataError, match=r"could be 'p1/img.jpg' or 'p2/img.jpg'"):
        found(files, [("img", "mel", "")])


def test_copies_in_two_folders_count_once():
    files = [("part_1/a.jpg", 5), ("PART_1/a.jpg", 5), ("part_1/b.jpg", 5)]
    assert found(files, [("a", "mel", "")]) == ([("PART_1/a.jpg", "mel")], 0, 1)


def test_equal_names_of_other_suffixes_are_told_apart_by_suffix():
    assert found([("a.jpg", 5), ("a.png", 6)], [("a.png", "mel", "")])[0] == [("a.png", "mel")]


def test_rows_may_repeat_but_not_disagree():
    assert found(["a.jpg"], [("a", "mel", "x"), ("a.jpg", "Mel", "x")]) == ([("a.jpg", "mel")], 0, 0)
    with pytest.raises(DataError, match="in lines 2 and 3 with different values: dx is 'mel' and 'nv'"):
        found(["a.jpg"], [("a", "mel", ""), ("a.jpg", "nv", "")])


def test_no_match_shows_both_sides():
    with pytest.raises(DataError, match=r"no row of table.csv names one of the 1 images: .* 'x', the folder with 'a.jpg'"):
        found(["a.jpg"], [("x", "mel", "")])


def test_an_empty_label_is_refused_with_its_line():
    with pytest.raises(DataError, match=r"no value in column dx for 1 of 2 images, the first in line 3"):
        found(["a.jpg", "b.jpg"], [("a", "mel", ""), ("b", "", "")])
    assert found(["a.jpg"], [("a", "mel", ""), ("absent", "", "")])[1] == 1


@given(
    stems=st.sets(st.text("abcXYZ_-. 0", min_size=1, max_size=6).filter(lambda s: s.strip(" .") == s), min_size=1),
    data=st.data(),
)
def test_every_file_finds_its_own_row(stems, data):
    unique = sorted({stem.casefold(): stem for stem in stems}.values())
    suffixes = [data.draw(st.sampled_from(["", ".jpg"])) for _ in unique]
    rows = [(stem + suffix, f"label {i}", "") for i, (stem, suffix) in enumerate(zip(unique, suffixes, strict=True))]
    pairs, missing, over = found([f"{stem}.jpg" for stem in unique], rows)
    assert (missing, over) == (0, 0)
    assert dict(pairs) == {f"{stem}.jpg": f"label {i}" for i, stem in enumerate(unique)}
