"""Tables of labels (CSV), as people write them: which columns say the image, its label and its group."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO

from bench.contract import DataRequest
from bench.errors import DataError
from workloads.images.one_hot import diagnosis_of, one_hot_columns, told
from workloads.images.parts import SPLIT_COLUMNS

# In order of preference; compared without case. A patient can have several lesions, so the patient decides first.
IMAGE_COLUMNS = ("image_id", "image", "image_name", "isic_id", "filename", "file_name", "image_path", "file", "path")
LABEL_COLUMNS = ("dx", "diagnosis", "target", "label", "melanoma", "mel", "benign_malignant", "malignant", "class")
_YES_OR_NO_COLUMNS = ("melanoma", "mel", "benign_malignant", "malignant")  # may be one of several in a one-hot table
NUMBERED_COLUMNS = ("label", "class")  # numbers in them are class indices
# All of these that a table has: images that share any of them stay in one part.
GROUP_COLUMNS = ("patient_id", "patient", "subject_id", "person_id", "lesion_id", "case_id", "case_num")

_SEPARATORS = ",;\t"
_SHOWN = 12
_LONGEST_HEADER = 2**20


class _Reader(Protocol):
    """What csv.reader returns."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


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
    label_column: str  # of a one-hot table all its columns, "MEL, NV, BCC"
    group_columns: tuple[str, ...]
    ham10000: bool  # whether it has the columns of HAM10000's metadata
    one_hot: bool = False
    split_column: str | None = None


def read_table(file: Path, request: DataRequest, classes: Sequence[str] = ()) -> Table:
    """The table in ``file``: separated by comma, semicolon or tab, with or without a byte order mark. Raises DataError.

    ``classes`` are the workload's; columns named after them are a one-hot table's, unless another column holds the labels.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader, header = _begin(stream, file)
            image = _column(header, request.image_column, IMAGE_COLUMNS, "--image-column", file)
            columns = _one_hot(header, request, classes)
            label = None if columns else _column(header, request.label_column, LABEL_COLUMNS, "--label-column", file)
            groups = [place for name in GROUP_COLUMNS if (place := _find(header, None, [name])) is not None]
            if request.group_column is not None:
                groups = [_column(header, request.group_column, GROUP_COLUMNS, "--group-column", file)]
            part = _find(header, None, SPLIT_COLUMNS)
            rows = list(_rows(reader, header, image, [label] if label is not None else columns, groups, part, file))
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name} is not text in UTF-8: expected a CSV file; save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}): expected a CSV file; check --labels") from error
    except csv.Error as error:
        raise DataError(f"{file.name} is no proper CSV ({error}): expected columns with a header; mend that line") from error
    if not rows:
        raise DataError(f"{file.name} has a header but no rows: expected a row for each image")
    return Table(
        rows=rows,
        label_column=told(header, columns if label is None else [label]),
        group_columns=tuple(header[place] for place in groups),
        ham10000={"lesion_id", "image_id", "dx"} <= {name.casefold() for name in header},
        one_hot=bool(columns),
        split_column=None if part is None else header[part],
    )


def _one_hot(header: list[str], request: DataRequest, classes: Sequence[str]) -> list[int]:
    """The columns of a one-hot table; none where one column holds the labels, or the user names it."""
    certain = [name for name in LABEL_COLUMNS if name not in _YES_OR_NO_COLUMNS]
    if request.label_column is not None or _find(header, None, certain) is not None:
        return []
    return one_hot_columns(header, classes)


def describes_images(file: Path) -> bool:
    """Whether a file is a table with a column of images and one of labels, by its header alone.

    Whatever encoding the rest is in: ``read_table`` refuses what is not UTF-8, rather than nobody reading it.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
            header = _begin(stream, file)[1]
    except (OSError, csv.Error, DataError):
        return False
    return _find(header, None, IMAGE_COLUMNS) is not None and _find(header, None, LABEL_COLUMNS) is not None


def _begin(stream: TextIO, file: Path) -> tuple[_Reader, list[str]]:
    """A reader that has the header behind it, and the header's names."""
    first = stream.readline(_LONGEST_HEADER)
    if not first.strip():
        raise DataError(f"{file.name} is empty: expected a CSV file with a header and a row for each image")
    stream.seek(0)
    reader = csv.reader(stream, delimiter=max(_SEPARATORS, key=first.count))
    return reader, [name.strip() for name in next(reader)]


def _rows(
    reader: _Reader,
    header: list[str],
    image: int,
    labels: Sequence[int],
    groups: Sequence[int],
    part: int | None,
    file: Path,
) -> Iterator[Row]:
    """The rows that name an image; cells that are not there count as empty. Several columns of labels are one-hot."""
    for cells in reader:
        name, value = _cell(cells, image), _cell(cells, labels[0])
        if name:
            if len(labels) > 1:
                value = diagnosis_of(cells, header, labels, f"line {reader.line_num} of {file.name}")
            owners = tuple(_cell(cells, place) for place in groups)
            yield Row(name, value, owners, reader.line_num, _cell(cells, part))


def _cell(cells: list[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""


def _find(header: list[str], wanted: str | None, known: Sequence[str]) -> int | None:
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
    place = _find(header, wanted, known)
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
