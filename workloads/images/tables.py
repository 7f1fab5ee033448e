"""The tables in a folder: which one tells the images' labels, which adds patients and lesions, and why the others are not used."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.contract import DataRequest
from bench.errors import DataError
from workloads.images.dialect import begin, names_an_image, open_text
from workloads.images.folder import ImageFile
from workloads.images.layouts import layout_of
from workloads.images.matching import Matches, match
from workloads.images.names import key
from workloads.images.table import IMAGE_COLUMNS, Row, Table, find_column, read_groups, read_table

_MOST_NAMED = 12
_SURE_SUFFIXES = (".csv", ".tsv", ".tab")
_PERHAPS_SUFFIXES = (".txt", "")  # as Dataverse names HAM10000's table: they count where they look like one
_UNREADABLE = {
    ".xlsx": "a spreadsheet",
    ".xls": "a spreadsheet",
    ".ods": "a spreadsheet",
    ".parquet": "Parquet",
    ".feather": "Feather",
    ".sqlite": "SQLite",
    ".sav": "SPSS's format",
}


@dataclass(frozen=True)
class Labels:
    """A table of labels, and the images that it tells about."""

    table: Table
    name: str  # of the file, or of several
    matches: Matches
    remarks: tuple[str, ...]  # on tables that are not used, by name


@dataclass(frozen=True)
class Found:
    """What was found: labels, or why each table that was seen tells none."""

    labels: Labels | None
    unused: tuple[str, ...]


def read_labels(file: Path, files: Sequence[ImageFile], request: DataRequest, classes: Sequence[str]) -> Labels:
    """The labels of ``files`` that the user's table gives. Raises DataError."""
    table = _with_parts(read_table(file, request, classes, {key(image.stem) for image in files}), file)
    return Labels(table, file.name, match(files, table, file.name), ())


def find_labels(
    folder: Path, files: Sequence[ImageFile], others: Sequence[ImageFile], request: DataRequest, classes: Sequence[str]
) -> Found:
    """The labels of ``files`` among the ``others`` below ``folder``. Raises DataError where several tables tell different ones."""
    stems = {key(image.stem) for image in files}
    usable: list[Labels] = []
    groups: list[Labels] = []
    unused: list[str] = []
    for other in others:
        suffix = Path(other.name).suffix.casefold()
        file = folder / other.relative
        if suffix in _UNREADABLE:
            unused.append(f"{other.relative} is not read, since it is {_UNREADABLE[suffix]}; save it as CSV")
        elif suffix in _SURE_SUFFIXES or (suffix in _PERHAPS_SUFFIXES and _looks_like_one(file, stems)):
            try:
                usable.append(read_labels(file, files, request, classes))
            except DataError as error:
                more = read_groups(file, stems)
                if more is None:
                    unused.append(f"{other.relative} is not used: {error}")
                elif (matches := _matches(files, more, file.name)) is not None:
                    groups.append(Labels(more, other.relative, matches, ()))
                else:
                    unused.append(f"{other.relative} is not used: none of its rows names one of the images")
    if len(unused) > _MOST_NAMED:
        unused[_MOST_NAMED:] = [f"and {len(unused) - _MOST_NAMED:,} more tables are not used"]
    if not usable:
        unused += [
            f"{more.name} is not used: it tells {' and '.join(more.table.group_columns)}, and no labels" for more in groups
        ]
        return Found(None, tuple(unused))
    labels = usable[0] if len(usable) == 1 else _joined(folder, usable)
    for more in groups:
        labels = _with_groups(labels, more)
        unused.append(f"{' and '.join(more.table.group_columns)} from {more.name}")
    return Found(replace(labels, remarks=tuple(unused)), ())


def _looks_like_one(file: Path, images: Collection[str]) -> bool:
    """Whether a file without a table's suffix begins with a column of images or the name of one."""
    try:
        with open_text(file) as stream:
            first = begin(stream, file)[1]
    except (OSError, UnicodeError, csv.Error, DataError):
        return False
    known = find_column(first, None, IMAGE_COLUMNS) is not None or layout_of(first) is not None
    return len(first) > 1 and (known or names_an_image(first, images) is not None)


def _matches(files: Sequence[ImageFile], table: Table, name: str) -> Matches | None:
    try:
        return match(files, table, name, labelled=False)
    except DataError:
        return None


def _joined(folder: Path, usable: Sequence[Labels]) -> Labels:
    """Tables of one kind that tell of different images, as a challenge's training and test have, as one. Raises DataError."""
    first = usable[0].table
    images = [image for one in usable for image in one.matches.files]
    alike = all(
        (one.table.label_column, one.table.group_columns, one.table.split_column)
        == (first.label_column, first.group_columns, first.split_column)
        for one in usable
    )
    if not alike or len(set(images)) != len(images):
        names = ", ".join(one.name for one in usable[:4])
        raise DataError(f"{folder} holds {len(usable)} tables of labels ({names}): expected one; choose it with --labels")
    pairs = sorted(pair for one in usable for pair in zip(one.matches.files, one.matches.rows, strict=True))
    table = replace(
        first,
        rows=[row for one in usable for row in one.table.rows],
        undecided=sum(one.table.undecided for one in usable),
    )
    matches = Matches(
        [file for file, _ in pairs],
        [row for _, row in pairs],
        sum(one.matches.rows_without_file for one in usable),
        max(0, usable[0].matches.files_without_row - sum(len(one.matches.files) for one in usable[1:])),
    )
    return Labels(table, ", ".join(one.name for one in usable), matches, ())


def _with_groups(labels: Labels, more: Labels) -> Labels:
    """The labels with the patients and lesions that another table tells."""
    columns = [place for place, name in enumerate(more.table.group_columns) if name not in labels.table.group_columns]
    found = dict(zip(more.matches.files, more.matches.rows, strict=True))

    def extended(image: ImageFile, row: Row) -> Row:
        other = found.get(image)
        return row._replace(groups=row.groups + tuple("" if other is None else other.groups[place] for place in columns))

    matches = labels.matches
    rows = [extended(image, row) for image, row in zip(matches.files, matches.rows, strict=True)]
    names = labels.table.group_columns + tuple(more.table.group_columns[place] for place in columns)
    return replace(labels, table=replace(labels.table, group_columns=names), matches=replace(matches, rows=rows))


_DERM7PT_PARTS = {"train": "train_indexes.csv", "val": "valid_indexes.csv", "test": "test_indexes.csv"}


def _with_parts(table: Table, file: Path) -> Table:
    """Derm7pt's table with the split that lies beside it: files of row numbers, from 0."""
    if table.layout is None or table.layout.title != "Derm7pt" or table.split_column is not None or table.undecided:
        return table
    parts = {}
    for part, name in _DERM7PT_PARTS.items():
        try:
            with (file.parent / name).open(newline="") as stream:
                parts |= {int(row["indexes"]): part for row in csv.DictReader(stream)}
        except (OSError, KeyError, ValueError):
            return table
    rows = [row._replace(part=parts.get(place, "")) for place, row in enumerate(table.rows)]
    return replace(table, rows=rows, split_column="indexes of its three lists")
