"""Image files as an ImageSet: nothing is decoded before it is read, then across all cores."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import DataRequest, ImageSet
from bench.errors import DataError
from workloads.images.decode import decode
from workloads.images.folder import ImageFile, find_images
from workloads.images.labels import ClassRules, plain
from workloads.images.matching import match
from workloads.images.parallel import in_threads
from workloads.images.split import split_by
from workloads.images.table import Table, describes_images, read_table

_TABLE_SUFFIXES = (".csv", ".tsv", ".tab")
# Names of folders that hold images but say nothing about them.
_CONTAINERS = ("image", "img", "part", "photo", "train", "test", "val", "data")


def open_folder(request: DataRequest, rules: ClassRules, height: int, width: int) -> ImageSet:
    """The images under ``request.path``, labelled by a table, by their folders' names, or not at all. Raises DataError."""
    assert request.path is not None
    folder = request.path
    files = find_images(folder)
    table = request.labels or _table_in(folder)
    if table is not None:
        return _from_table(folder, files, table, request, rules, height, width)
    asked = [name for name in ("image_column", "label_column", "group_column") if getattr(request, name) is not None]
    if asked:
        option = asked[0].replace("_", "-")
        raise DataError(f"--{option} names a column, but {folder} holds no table of labels: expected one; give it as --labels")
    by_folder = _labels_by_folder(files, rules, request.positive)
    groups = [file.stem for file in files]
    if by_folder is None:
        return _image_set(folder, files, None, groups, height, width, f"folder, {len(files):,} images, unlabelled")
    counts = _counts(by_folder, rules)
    return _image_set(
        folder, files, by_folder, groups, height, width, f"folder per class, {len(files):,} images, {counts}, split by image"
    )


def _table_in(folder: Path) -> Path | None:
    """The one table beside the images that tells their labels. Raises DataError where there are several."""
    tables = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in _TABLE_SUFFIXES and not file.name.startswith(".") and describes_images(file)
    )
    if len(tables) > 1:
        names = ", ".join(file.name for file in tables[:4])
        raise DataError(f"{folder} holds {len(tables)} tables of labels ({names}): expected one; choose it with --labels")
    return tables[0] if tables else None


def _from_table(
    folder: Path, files: Sequence[ImageFile], file: Path, request: DataRequest, rules: ClassRules, height: int, width: int
) -> ImageSet:
    table = read_table(file, request)
    matches = match(files, table, file.name)
    values = Counter(row.label for row in matches.rows)
    classes = rules.assign(values, request.positive, f"column {table.label_column} of {file.name}")
    labels = np.array([classes[row.label] for row in matches.rows], np.int32)
    groups = [row.group or image.stem for row, image in zip(matches.rows, matches.files, strict=True)]
    return _image_set(folder, matches.files, labels, groups, height, width, _describe(table, matches, labels, rules))
