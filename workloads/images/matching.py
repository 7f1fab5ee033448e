"""Which file each row of a table means, and one label for each file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import DataError
from workloads.images.folder import IMAGE_SUFFIXES, ImageFile
from workloads.images.names import composed, key, place_of, stem_of
from workloads.images.table import Row, Table


@dataclass(frozen=True)
class Matches:
    """Files with their rows, in the order of the files."""

    files: Sequence[ImageFile]
    rows: Sequence[Row]
    rows_without_file: int
    files_without_row: int


def match(files: Sequence[ImageFile], table: Table, name: str, labelled: bool = True) -> Matches:
    """The files that a table ``name`` tells about; rows may repeat one another, but not disagree. Raises DataError.

    ``labelled``: each of them must have a label.
    """
    by_key: defaultdict[str, list[ImageFile]] = defaultdict(list)
    for file in files:
        by_key[key(file.stem)].append(file)
    found = [_file_of(row, by_key) for row in table.rows]
    # What a row names exactly is not meant by another that differs in case.
    exact = {file for file, same in found if same}
    chosen: dict[ImageFile, Row] = {}
    missing = 0
    for row, (meant, same) in zip(table.rows, found, strict=True):
        if meant is None or (meant in exact and not same):
            missing += 1
        else:
            _agree(chosen.setdefault(meant, row), row, meant, table.label_column, name)
    if not chosen:
        raise DataError(
            f"no row of {name} names one of the {len(files):,} images: the table begins with {table.rows[0].image!r:.60}, the "
            f"folder with {files[0].relative!r:.80}; check --data, --labels and --image-column"
        )
    if labelled:
        _check_labelled(chosen, table.label_column, name)
    known = sorted(chosen)
    counted = {(key(file.stem), file.size) for file in known}
    over = sum(file not in chosen and (key(file.stem), file.size) not in counted for file in files)
    return Matches(known, [chosen[file] for file in known], missing, over)


def _file_of(row: Row, by_key: defaultdict[str, list[ImageFile]]) -> tuple[ImageFile | None, bool]:
    """The file a row means, and whether it has exactly that stem: by its stem, then by as much of suffix and folders as there is."""
    place, stem = place_of(row.image), stem_of(row.image)
    found = by_key.get(key(stem), [])
    if len(place.parts) > 1:
        full = "/" + key(str(place.with_name(stem)).lstrip("/"))
        found = [file for file in found if _same_end(full, "/" + key(file.relative.rpartition(".")[0]))]
    if len(found) > 1:
        found = [file for file in found if composed(file.stem) == composed(stem)] or found
    if len(found) > 1 and place.suffix.casefold() in IMAGE_SUFFIXES:
        found = (
            [file for file in found if composed(file.name) == composed(place.name)]
            or [file for file in found if key(file.name) == key(place.name)]
            or found
        )
    if len({file.size for file in found}) > 1:
        found = [file for file in found if file.stem == stem] or found
    if len({file.size for file in found}) > 1:
        raise DataError(
            f"line {row.line} names {row.image!r:.60}, which could be {found[0].relative!r:.80} or {found[1].relative!r:.80}: "
            "expected one file; write the folder and suffix into the table too, or choose a smaller folder"
        )
    if not found:
        return None, False
    return found[0], composed(found[0].stem) == composed(
        stem
    )  # copies of one size, as in HAM10000's doubled folders, count once


def _same_end(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)


def _agree(first: Row, row: Row, file: ImageFile, column: str, name: str) -> None:
    if first.label.casefold() != row.label.casefold():
        raise DataError(
            f"{name} has {file.name} in lines {first.line} and {row.line} with different values: {column} is "
            f"{first.label!r:.40} and {row.label!r:.40}; keep one of them"
        )
    if (first.groups, first.part) != (row.groups, row.part):
        raise DataError(
            f"{name} has {file.name} in lines {first.line} and {row.line} with different patients, lesions or parts; keep one "
            "of them"
        )


def _check_labelled(chosen: dict[ImageFile, Row], column: str, name: str) -> None:
    empty = [row.line for row in chosen.values() if not row.label]
    if empty:
        raise DataError(
            f"{name} has no value in column {column} for {len(empty):,} of {len(chosen):,} images, the first in line "
            f"{min(empty)}: expected a label for each; fill it in or remove the row"
        )
