"""Text files with rows of cells: which encoding and separator they have, and whether their first row is a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol, TextIO

from bench.errors import DataError
from workloads.images.names import key, stem_of

_SEPARATORS = ",;\t|"
_LONGEST_HEADER = 2**20
_PEEKED = 6


class Reader(Protocol):
    """What csv.reader returns."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


def open_text(file: Path, errors: str = "strict") -> TextIO:
    """The file as text: UTF-8 with or without a byte order mark, or UTF-16 as spreadsheets save it. Raises OSError."""
    with file.open("rb") as stream:
        head = stream.read(64)
    encoding = "utf-8-sig"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif len(head) > 3 and head[1::2].count(0) > len(head) // 3:
        encoding = "utf-16-le"
    elif len(head) > 3 and head[0::2].count(0) > len(head) // 3:
        encoding = "utf-16-be"
    return file.open(newline="", encoding=encoding, errors=errors)


def begin(stream: TextIO, file: Path) -> tuple[Reader, list[str]]:
    """A reader that has the first row behind it, and that row. Raises DataError where there is none."""
    first = stream.readline(_LONGEST_HEADER)
    separator = ""
    told = re.fullmatch(r"\s*\"?sep=(.)\"?\s*", first, re.IGNORECASE)
    if told or first.strip("\r\n").casefold() == "sep=\t":  # what Excel writes for itself
        separator = told[1] if told else "\t"
        first = stream.readline(_LONGEST_HEADER)
    if not first.strip():
        raise DataError(f"{file.name} is empty: expected a CSV file with a header and a row for each image")
    stream.seek(0)
    reader = csv.reader(stream, delimiter=separator or max(_SEPARATORS, key=first.count))
    header = next(reader)
    if separator:
        header = next(reader)
    return reader, [name.strip() for name in header]


def names_an_image(first: list[str], images: Collection[str]) -> int | None:
    """The place of a cell in a table's first row that names one of the ``images``, so that the row is no header; else None."""
    return next((place for place, cell in enumerate(first) if cell and key(stem_of(cell)) in images), None)


def without_header(file: Path) -> bool:
    """Whether the first row looks like those after it: a cell with digits in the same shape, as ISIC_0000000 in each row."""
    try:
        with open_text(file, "replace") as stream:
            reader, first = begin(stream, file)
            rows = [first, *islice(reader, _PEEKED)]
    except (OSError, csv.Error, DataError):
        return False
    columns = min(len(row) for row in rows)
    return len(rows) > 2 and any(
        any(character.isdigit() for character in first[place]) and len({_shape(row[place]) for row in rows}) == 1
        for place in range(columns)
    )


def _shape(cell: str) -> str:
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", cell.strip()))
