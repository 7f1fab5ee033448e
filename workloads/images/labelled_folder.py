"""A folder of images, labelled by a table, by the names of its folders, or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import DataRequest, ImageSet
from bench.errors import DataError
from workloads.images.division import divided
from workloads.images.file_set import class_counts, image_set
from workloads.images.folder import ImageFile, find_images
from workloads.images.labels import ClassRules, contradicts, plain, shown
from workloads.images.matching import Matches, match
from workloads.images.split import split_by
from workloads.images.table import NUMBERED_COLUMNS, Table, describes_images, read_table
from workloads.images.understood import counted, facts

_TABLE_SUFFIXES = (".csv", ".tsv", ".tab")
_LABEL_OPTIONS = ("labels", "image_column", "label_column", "group_column")
_SHOWN = 8
# Beginnings and ends of folder names that say nothing about the images inside, as in HAM10000_images_part_1.
_CONTAINERS = ("image", "img", "part", "photo", "train", "test", "val", "data", "jpeg", "jpg", "png")


def open_folder(folder: Path, request: DataRequest, rules: ClassRules, size: tuple[int, int]) -> ImageSet:
    """The images under ``folder``, to be read at a size (height, width). Raises DataError.

    Where labels cannot be understood, and the user said nothing of them, the images have none and are good for speed.
    """
    files = find_images(folder)
    try:
        return _labelled(folder, files, request, rules, size)
    except DataError as error:
        if request.positive or any(getattr(request, option) is not None for option in _LABEL_OPTIONS):
            raise
        return _unlabelled(folder, files, size, str(error))


def _labelled(
    folder: Path, files: Sequence[ImageFile], request: DataRequest, rules: ClassRules, size: tuple[int, int]
) -> ImageSet:
    """The images with the labels that a table or the folders' names give, or none where neither is there. Raises DataError."""
    table = request.labels or _table_in(folder)
    if table is not None:
        return _with_table(folder, files, table, request, rules, size)
    for option in _LABEL_OPTIONS[1:]:
        if getattr(request, option) is not None:
            dashed = option.replace("_", "-")
            raise DataError(f"--{dashed} names a column, but {folder} holds no table of labels; give one with --labels")
    labels = _labels_by_folder(files, rules, request.positive)
    if labels is None and request.positive:
        given = f"--positive {request.positive[0]:.60}"
        raise DataError(f"{given} chooses a label, but {folder} holds none; give a table with --labels")
    if labels is None:
        return _unlabelled(folder, files, size)
    division = divided(folder, files, labels, None, ())
    description = f"folder per class, {len(files):,} images, {class_counts(labels, rules.classes)}, {division.by}"
    understood = (*facts(labels, rules.classes, division.split, division.by), *division.understood)
    return image_set(
        folder, files, labels, division.split, size, description, understood=understood, remarks=division.remarks
    )


def _unlabelled(folder: Path, files: Sequence[ImageFile], size: tuple[int, int], why: str = "") -> ImageSet:
    """The images without labels; ``why`` says what was wrong with those that seemed to be there."""
    understood = ("no labels: good for speed, not for training to the end",)
    return image_set(
        folder,
        files,
        None,
        split_by(file.stem for file in files),
        size,
        f"folder without labels, {len(files):,} images",
        understood=understood,
        remarks=(f"labels are not used: {why}",) if why else (),
        unlabelled=why,
    )


def _table_in(folder: Path) -> Path | None:
    """The one table beside the images that tells their labels. Raises DataError where there are several."""
    candidates = sorted(file for file in folder.iterdir() if file.suffix.lower() in _TABLE_SUFFIXES)
    tables = [file for file in candidates if not file.name.startswith(".") and describes_images(file)]
    if len(tables) > 1:
        names = ", ".join(file.name for file in tables[:4])
        raise DataError(f"{folder} holds {len(tables)} tables of labels ({names}): expected one; choose it with --labels")
    return tables[0] if tables else None


def _with_table(
    folder: Path, files: Sequence[ImageFile], file: Path, request: DataRequest, rules: ClassRules, size: tuple[int, int]
) -> ImageSet:
    table = read_table(file, request, rules.classes)
    matches = match(files, table, file.name)
    values = Counter(row.label for row in matches.rows)
    classes = _classes(table, file.name, values, request, rules)
    labels = np.array([classes[row.label] for row in matches.rows], np.int32)
    division = divided(folder, matches.files, labels, table, matches.rows)
    understood = (
        *facts(labels, rules.classes, division.split, division.by),
        *division.understood,
        *_left_out(matches),
    )
    columns = "columns" if table.one_hot else "column"
    remarks = (f"labels from {columns} {table.label_column} of {file.name}{_meaning(classes, rules)}", *division.remarks)
    description = _description(table, matches, labels, rules, division.by)
    return image_set(
        folder, matches.files, labels, division.split, size, description, understood=understood, remarks=remarks
    )


def _classes(table: Table, name: str, values: Counter[str], request: DataRequest, rules: ClassRules) -> dict[str, int]:
    """The class index of every label value in a table called ``name``. Raises DataError."""
    column = table.label_column
    where = f"{'columns' if table.one_hot else 'column'} {column} of {name}"
    two, chosen = len(rules.classes) == 2, bool(request.positive)
    if two and not chosen and rules.recognise(values) and contradicts(column, rules.classes[1]):
        raise DataError(
            f"{where} hold {shown(values)}, which say whether an image shows {column}: expected labels that say whether it "
            f"shows {rules.classes[1]}; name another column with --label-column, or say with --positive which value means it"
        )
    says = request.label_column is not None or column.casefold() in NUMBERED_COLUMNS
    return rules.assign(values, request.positive, where, numbered=says and not two)


def _description(table: Table, matches: Matches, labels: NDArray[np.int32], rules: ClassRules, by: str) -> str:
    parts = [
        "HAM10000 folder" if table.ham10000 else "folder with a table",
        f"{len(matches.files):,} images",
        class_counts(labels, rules.classes),
        by,
        *_left_out(matches),
    ]
    return ", ".join(parts)


def _left_out(matches: Matches) -> list[str]:
    """What has no partner, and how many."""
    parts = []
    if matches.rows_without_file:
        parts.append(f"{counted(matches.rows_without_file, 'row')} without a file left out")
    if matches.files_without_row:
        parts.append(f"{counted(matches.files_without_row, 'file')} without a row left out")
    return parts


def _meaning(classes: dict[str, int], rules: ClassRules) -> str:
    """Which label values mean the positive class of two, or which number each of many."""
    if len(rules.classes) == 2:
        positive = [f"{value:.40}" for value, index in classes.items() if index == 1]
        return f": {', '.join(positive[:_SHOWN])} mean{'s' if len(positive) == 1 else ''} {rules.classes[1]}"
    renamed = {
        value: rules.classes[index] for value, index in classes.items() if plain(value) != plain(rules.classes[index])
    }
    return "".join(f", {value:.40} means {name}" for value, name in sorted(renamed.items())[:_SHOWN])


def _labels_by_folder(files: Sequence[ImageFile], rules: ClassRules, positive: tuple[str, ...]) -> NDArray[np.int32] | None:
    """Labels (n,) by the folder above each image; None where the folders are mere containers. Raises DataError."""
    names = [_class_folder(file.parent) for file in files]
    counts = Counter(names)
    if len(counts) < 2 or "" in counts:
        return None
    if not positive and not rules.recognise(counts) and all(_is_container(name) for name in counts):
        return None
    numbered = len(rules.classes) != 2 and rules.recognise(counts)
    classes = rules.assign(counts, positive, "the folders' names", numbered)
    return np.array([classes[name] for name in names], np.int32)


def _class_folder(parent: str) -> str:
    """The folder nearest to the image that is no mere container, else the nearest one: ``benign`` of ``benign/train``."""
    names = parent.split("/")
    return next((name for name in reversed(names) if name and not _is_container(name)), names[-1])


def _is_container(name: str) -> bool:
    words = plain(name).replace("-", "_").split("_")
    return all(word.isdigit() or word.startswith(_CONTAINERS) or word in ("ham10000", "isic") for word in words)
