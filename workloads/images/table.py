"""Tables of labels (CSV), as people write them: which columns say the image, its label and its group."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from bench.contract import DataRequest
from bench.errors import DataError
from workloads.images.dialect import Reader, begin, names_an_image, open_text, without_header
from workloads.images.labels import plain
from workloads.images.layouts import Layout, layout_of
from workloads.images.one_hot import diagnosis_of, one_hot_columns, told
from workloads.images.parts import SPLIT_COLUMNS

# In order of preference; compared without case and punctuation.
IMAGE_COLUMNS = (
    "image_id",
    "image",
    "image_name",
    "isic_id",
    "filename",
    "file_name",
    "image_path",
    "file",
    "path",
    "img_id",
)
LABEL_COLUMNS = ("dx", "diagnosis", "target", "label", "melanoma", "mel", "benign_malignant", "malignant", "class")
_YES_OR_NO_COLUMNS = ("melanoma", "mel", "benign_malignant", "malignant")  # may be one of several in a one-hot table
NUMBERED_COLUMNS = ("label", "class")  # numbers in them are class indices
# All of these that a table has: images that share any of them stay in one part.
GROUP_COLUMNS = ("patient_id", "patient", "subject_id", "person_id", "lesion_id", "case_id", "case_num")

_SHOWN = 12


class Row(NamedTuple):
    """One line of a table."""

    image: str
    label: str
    groups: tuple[str, ...]  # a patient, a lesion: a cell for each of the table's group columns
    line: int
    part: str = ""  # a cell of the column that tells the split


@dataclass(frozen=True)
class Table:
    """A table's rows, and the columns they came from."""

    rows: Sequence[Row]
    label_column: str  # of several all of them, "MEL, NV, BCC"; "" where the table tells no labels
    group_columns: tuple[str, ...]
    ham10000: bool  # whether it has the columns of HAM10000's metadata
    one_hot: bool = False
    split_column: str | None = None
    layout: Layout | None = None
    undecided: int = 0  # rows that were left out, since their diagnosis leaves the class open


class NoHeaderError(DataError):
    """A table whose first row names an image."""


@dataclass(frozen=True)
class _Columns:
    """Where a table's cells are."""

    header: list[str]
    image: int
    labels: Sequence[int]
    groups: Sequence[int]
    part: int | None
    one_hot: bool = False
    layout: Layout | None = None


def read_table(file: Path, request: DataRequest, classes: Sequence[str] = (), images: Collection[str] = ()) -> Table:
    """The table of labels in ``file``: a comma, semicolon, tab or bar between cells, in UTF-8 or UTF-16. Raises DataError.

    ``classes`` are the workload's; columns named after them are a one-hot table's, unless another column holds the labels.
    ``images`` are the keys (``workloads.images.names.key``) of images there are: a first row that names one is no header.
    """

    def columns(header: list[str]) -> _Columns:
        return _columns(header, request, classes, file)

    return _read(file, columns, request, images)


def read_groups(file: Path, images: Collection[str] = ()) -> Table | None:
    """The table in ``file`` where it tells patients or lesions of images, and no labels; else None."""

    def columns(header: list[str]) -> _Columns:
        image = _column(header, None, IMAGE_COLUMNS, "--image-column", file)
        groups = _groups(header)
        if not groups:
            raise DataError(f"{file.name} tells neither patients nor lesions")
        return _Columns(header, image, (), groups, find_column(header, None, SPLIT_COLUMNS))

    try:
        found = _read(file, columns, DataRequest(), images)
    except DataError:
        return None
    return found if found.group_columns else None  # a table without a header has no columns of either


def _read(file: Path, columns: Callable[[list[str]], _Columns], request: DataRequest, images: Collection[str]) -> Table:
    try:
        with open_text(file) as stream:
            reader, header = begin(stream, file)
            known = find_column(header, None, IMAGE_COLUMNS) is not None or layout_of(header) is not None
            place = None if known else names_an_image(header, images)
            if place is None:
                found = columns(header)
                rows = list(_rows(reader, found, file))
            else:
                found = _headless(header, place, request, file)
                rows = list(_rows(reader, found, file, first=header))
    except UnicodeError as error:
        raise DataError(f"{file.name} is not text in UTF-8 or UTF-16: expected a CSV file; save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}): expected a CSV file; check --labels") from error
    except csv.Error as error:
        raise DataError(f"{file.name} is no proper CSV ({error}): expected columns with a header; mend that line") from error
    if not rows:
        raise DataError(f"{file.name} has a header but no rows: expected a row for each image")
    return _table(found, rows, file)


def _table(found: _Columns, rows: list[Row], file: Path) -> Table:
    header, layout = found.header, found.layout
    kept = rows
    if layout is not None and layout.undecided:
        kept = [row for row in rows if plain(row.label) not in layout.undecided]
        if not kept:
            raise DataError(f"no row of {file.name} has a diagnosis that says whether it is melanoma")
    return Table(
        rows=kept,
        label_column=told(header, found.labels),
        group_columns=tuple(header[place] for place in found.groups),
        ham10000={"lesion_id", "image_id", "dx"} <= {name.casefold() for name in header},
        one_hot=found.one_hot,
        split_column=None if found.part is None else header[found.part],
        layout=layout,
        undecided=len(rows) - len(kept),
    )


def _columns(header: list[str], request: DataRequest, classes: Sequence[str], file: Path) -> _Columns:
    layout = layout_of(header)
    image_names, label_names = IMAGE_COLUMNS, LABEL_COLUMNS
    if layout is not None:
        image_names, label_names = (layout.image,), layout.labels
    image = _column(header, request.image_column, image_names, "--image-column", file)
    one_hot: list[int] = []
    if layout is None:
        one_hot = _one_hot(header, request, classes)
    elif request.label_column is not None:
        layout = None  # its values say nothing about another column
    if one_hot:
        labels = one_hot
    elif layout is not None:
        labels = [place for name in layout.labels if (place := find_column(header, None, [name])) is not None]
    else:
        labels = [_column(header, request.label_column, label_names, "--label-column", file)]
    groups = _groups(header)
    if request.group_column is not None:
        groups = [_column(header, request.group_column, GROUP_COLUMNS, "--group-column", file)]
    for place in (image, *labels):
        if header.count(header[place]) > 1:
            raise DataError(f"{file.name} has two columns called {header[place]!r:.60}: expected one; rename one of them")
    return _Columns(header, image, labels, groups, find_column(header, None, SPLIT_COLUMNS), bool(one_hot), layout)


def _groups(header: list[str]) -> list[int]:
    return [place for name in GROUP_COLUMNS if (place := find_column(header, None, [name])) is not None]


def _headless(first: list[str], image: int, request: DataRequest, file: Path) -> _Columns:
    """The columns of a table without a header: of two, the other one holds the labels. Raises DataError for other numbers."""
    named = request.image_column or request.label_column or request.group_column
    if named is not None or len(first) != 2:
        columns = f" with {len(first)} columns" if named is None else f", and so no column {named!r:.60}"
        raise NoHeaderError(
            f"{file.name} has no header{columns}: its first row names the image {first[image]!r:.60}; put a row of column names "
            "above it, such as image,label" + ("" if len(first) != 2 else ", or leave the column options out")
        )
    return _Columns(["1", "2"], image, [1 - image], (), None)


def _one_hot(header: list[str], request: DataRequest, classes: Sequence[str]) -> list[int]:
    """The columns of a one-hot table; none where one column holds the labels, or the user names it."""
    certain = [name for name in LABEL_COLUMNS if name not in _YES_OR_NO_COLUMNS]
    if request.label_column is not None or find_column(header, None, certain) is not None:
        return []
    return one_hot_columns(header, classes)


def _rows(reader: Reader, found: _Columns, file: Path, first: list[str] | None = None) -> Iterator[Row]:
    """The rows that name an image; cells that are not there count as empty. ``first``: a row that was read already."""
    for cells in chain([first] if first is not None else [], reader):
        name = _cell(cells, found.image)
        if name:
            owners = tuple(_cell(cells, place) for place in found.groups)
            yield Row(name, _label(cells, found, reader, file), owners, reader.line_num, _cell(cells, found.part))


def _label(cells: list[str], found: _Columns, reader: Reader, file: Path) -> str:
    """The cell of the one column; of several the column that holds 1, or the narrowest words that are there."""
    if found.one_hot:
        return diagnosis_of(cells, found.header, found.labels, f"line {reader.line_num} of {file.name}")
    return next((cell for place in reversed(found.labels) if (cell := _cell(cells, place))), "")


def _cell(cells: list[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""


def find_column(header: list[str], wanted: str | None, known: Sequence[str]) -> int | None:
    """The place of the column wanted, else of the first one known; exact first, then without case and punctuation."""
    if wanted in header:
        return header.index(wanted)
    places = {_letters(name): place for place, name in reversed(list(enumerate(header)))}
    names = known if wanted is None else [wanted]
    return next((places[_letters(name)] for name in names if _letters(name) in places), None)


def _letters(name: str) -> str:
    """A column's name without what people vary: ``Image ID``, ``image-id`` and ``image_id`` are one."""
    return re.sub(r"[\W_]+", "", name.casefold()) or name


def _column(header: list[str], wanted: str | None, known: Sequence[str], option: str, file: Path) -> int:
    place = find_column(header, wanted, known)
    if place is None and without_header(file):
        raise NoHeaderError(
            f"{file.name} has no header: its first row, {', '.join(f'{name:.40}' for name in header[:3])}, looks like those after "
            "it; put a row of column names above it, such as image,label"
        )
    if place is None:
        raise DataError(_missing(header, wanted, known, option, file))
    return place


def _missing(header: list[str], wanted: str | None, known: Sequence[str], option: str, file: Path) -> str:
    columns = ", ".join(f"{name:.40}" for name in header[:_SHOWN])
    columns += f" and {len(header) - _SHOWN:,} more" if len(header) > _SHOWN else ""
    lower = [name.casefold() for name in header]
    if wanted is not None:
        near = get_close_matches(wanted.casefold(), lower, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r:.60}?" if near else f"; name one of them with {option}"
        return f"{file.name} has no column {wanted!r:.60}: found {columns}{hint}"
    near = [name for want in known for name in get_close_matches(want, lower, n=1)]
    hint = f", as in {option} {near[0]:.60}" if near else ""
    return f"{file.name} has none of the columns {', '.join(known)}: found {columns}; name one with {option}{hint}"
