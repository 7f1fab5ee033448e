"""A folder of images, labelled by a table, by the names of its folders, or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import DataRequest, ImageSet
from bench.errors import DataError
from workloads.images.division import divided
from workloads.images.file_set import class_counts, image_set
from workloads.images.folder import ImageFile, find_files
from workloads.images.kinds import not_read
from workloads.images.labels import ClassRules, contradicts, plain, shown
from workloads.images.matching import Matches
from workloads.images.sources import FolderSource, Hdf5Source, Source
from workloads.images.split import split_by
from workloads.images.table import NUMBERED_COLUMNS, Table
from workloads.images.tables import Labels, find_labels, read_labels
from workloads.images.understood import counted, facts

_LABEL_OPTIONS = ("labels", "image_column", "label_column", "group_column")
_SHOWN = 8
# Beginnings and ends of folder names that say nothing about the images inside, as in HAM10000_images_part_1.
_CONTAINERS = ("image", "img", "part", "photo", "train", "test", "val", "data", "jpeg", "jpg", "png")


def open_folder(folder: Path, request: DataRequest, rules: ClassRules, size: tuple[int, int]) -> ImageSet:
    """The images under ``folder``, to be read at a size (height, width). Raises DataError.

    Where labels cannot be understood, and the user said nothing of them, the images have none and are good for speed.
    """
    files, others = find_files(folder)
    images = _understood(FolderSource(folder), files, others, request, rules, size)
    return replace(images, understood=(*images.understood, *not_read(others)))


def open_hdf5(file: Path, request: DataRequest, rules: ClassRules, size: tuple[int, int]) -> ImageSet:
    """The images in a file in HDF5, with the labels of a table beside it, as ISIC 2024 has them. Raises DataError."""
    source = Hdf5Source(file)
    beside = sorted(ImageFile(other.name, other.stat().st_size) for other in file.parent.iterdir() if other.is_file())
    return _understood(source, source.images(), beside, request, rules, size)


def _understood(
    source: Source,
    files: Sequence[ImageFile],
    others: Sequence[ImageFile],
    request: DataRequest,
    rules: ClassRules,
    size: tuple[int, int],
) -> ImageSet:
    """The images with labels; without, and with the reason, where these are not understood and the user said nothing of them."""
    try:
        return _labelled(source, files, others, request, rules, size)
    except DataError as error:
        if request.positive or any(getattr(request, option) is not None for option in _LABEL_OPTIONS):
            raise
        return _unlabelled(source, files, size, str(error))


def _labelled(
    source: Source,
    files: Sequence[ImageFile],
    others: Sequence[ImageFile],
    request: DataRequest,
    rules: ClassRules,
    size: tuple[int, int],
) -> ImageSet:
    """The images with the labels that a table or the folders' names give, or none where neither is there. Raises DataError."""
    if request.labels is not None:
        return _with_table(source, read_labels(request.labels, files, request, rules.classes), request, rules, size)
    found = find_labels(source.folder, files, others, request, rules.classes)
    if found.labels is not None:
        return _with_table(source, found.labels, request, rules, size)
    why = "; ".join(found.unused[:_SHOWN])
    for option in _LABEL_OPTIONS[1:]:
        if getattr(request, option) is not None:
            dashed = option.replace("_", "-")
            if why:
                raise DataError(f"no table is as the options say: {why}")
            raise DataError(
                f"--{dashed} names a column, but {source.folder} holds no table of labels; give one with --labels"
            )
    classes = _classes_by_folder(files, rules, request.positive)
    if classes is None and request.positive:
        given = f"--positive {request.positive[0]:.60}"
        raise DataError(f"{given} chooses a label, but {why or f'{source.folder} holds none; give a table with --labels'}")
    if classes is None:
        return _unlabelled(source, files, size, why)
    labels = np.array([classes[_class_folder(file.parent)] for file in files], np.int32)
    division = divided(source, files, labels, None, ())
    description = f"folder per class, {len(files):,} images, {class_counts(labels, rules.classes)}, {division.by}"
    understood = (*facts(labels, rules.classes, division.split, division.by), *division.understood)
    origin = f"labels from the folders' names{_meaning(classes, rules)}"
    remarks = (origin, *found.unused, *division.remarks)
    return image_set(source, files, labels, division.split, size, description, understood=understood, remarks=remarks)


def _unlabelled(source: Source, files: Sequence[ImageFile], size: tuple[int, int], why: str = "") -> ImageSet:
    """The images without labels; ``why`` says what was wrong with those that seemed to be there."""
    understood = ("no labels: good for speed, not for training to the end",)
    return image_set(
        source,
        files,
        None,
        split_by(file.stem for file in files),
        size,
        f"{source.kind} without labels, {len(files):,} images",
        understood=understood,
        remarks=(f"labels are not used: {why}",) if why else (),
        unlabelled=why,
    )


def _with_table(
    source: Source, labelled: Labels, request: DataRequest, rules: ClassRules, size: tuple[int, int]
) -> ImageSet:
    table, matches, name = labelled.table, labelled.matches, labelled.name
    values = Counter(row.label for row in matches.rows)
    classes = _classes(table, name, values, request, rules)
    labels = np.array([classes[row.label] for row in matches.rows], np.int32)
    division = divided(source, matches.files, labels, table, matches.rows)
    understood = (
        *facts(labels, rules.classes, division.split, division.by),
        *division.understood,
        *_left_out(matches),
        *_undecided(table),
    )
    columns = "columns" if "," in table.label_column else "column"
    origin = f"labels from {columns} {table.label_column} of {name}{_meaning(classes, rules)}"
    remarks = (origin, *labelled.remarks, *division.remarks)
    description = _description(table, matches, labels, rules, division.by, source.kind)
    return image_set(
        source, matches.files, labels, division.split, size, description, understood=understood, remarks=remarks
    )


def _classes(table: Table, name: str, values: Counter[str], request: DataRequest, rules: ClassRules) -> dict[str, int]:
    """The class index of every label value in a table called ``name``. Raises DataError."""
    column = table.label_column
    where = f"{'columns' if ',' in column else 'column'} {column} of {name}"
    two, chosen = len(rules.classes) == 2, bool(request.positive)
    if two and not chosen and rules.recognise(values) and contradicts(column, rules.classes[1]):
        raise DataError(
            f"{where} hold {shown(values)}, which say whether an image shows {column}: expected labels that say whether it "
            f"shows {rules.classes[1]}; name another column with --label-column, or say with --positive which value means it"
        )
    says = request.label_column is not None or column.casefold() in NUMBERED_COLUMNS
    known = table.layout.melanoma if table.layout is not None else ()
    return rules.assign(values, request.positive, where, numbered=says and not two, melanoma=known)


def _description(table: Table, matches: Matches, labels: NDArray[np.int32], rules: ClassRules, by: str, kind: str) -> str:
    parts = [
        _title(table, kind),
        f"{len(matches.files):,} images",
        class_counts(labels, rules.classes),
        by,
        *_left_out(matches),
        *_undecided(table),
    ]
    return ", ".join(parts)


def _title(table: Table, kind: str) -> str:
    if table.layout is not None:
        return f"{kind} with the table of {table.layout.title}"
    return "HAM10000 folder" if table.ham10000 else f"{kind} with a table"


def _left_out(matches: Matches) -> list[str]:
    """What has no partner, and how many."""
    parts = []
    if matches.rows_without_file:
        parts.append(f"{counted(matches.rows_without_file, 'row')} without a file left out")
    if matches.files_without_row:
        parts.append(f"{counted(matches.files_without_row, 'file')} without a row left out")
    return parts


def _undecided(table: Table) -> list[str]:
    """How many rows have a diagnosis that leaves the class open."""
    return [f"{counted(table.undecided, 'row')} whose diagnosis leaves the class open left out"] if table.undecided else []


def _meaning(classes: dict[str, int], rules: ClassRules) -> str:
    """Which label values mean the positive class of two, or which number each of many."""
    if len(rules.classes) == 2:
        positive = [f"{value:.40}" for value, index in classes.items() if index == 1]
        return f": {', '.join(positive[:_SHOWN])} mean{'s' if len(positive) == 1 else ''} {rules.classes[1]}"
    renamed = {
        value: rules.classes[index] for value, index in classes.items() if plain(value) != plain(rules.classes[index])
    }
    return "".join(f", {value:.40} means {name}" for value, name in sorted(renamed.items())[:_SHOWN])


def _classes_by_folder(files: Sequence[ImageFile], rules: ClassRules, positive: tuple[str, ...]) -> dict[str, int] | None:
    """The class index of each folder above images; None where the folders are mere containers. Raises DataError."""
    counts = Counter(_class_folder(file.parent) for file in files)
    stray = counts.pop("", 0)
    if len(counts) < 2:
        return None
    if stray:
        if rules.recognise(counts) or any(plain(name) in rules.positive_names for name in counts):
            raise DataError(
                f"{stray:,} of {len(files):,} images lie beside the folders {shown(counts)}: expected each image in the folder of its "
                "class; move them, or choose a smaller folder"
            )
        return None
    if not positive and not rules.recognise(counts) and all(_is_container(name) for name in counts):
        return None
    numbered = len(rules.classes) != 2 and rules.recognise(counts)
    return rules.assign(counts, positive, "the folders' names", numbered)


def _class_folder(parent: str) -> str:
    """The folder nearest to the image that is no mere container, else the nearest one: ``benign`` of ``benign/train``."""
    names = parent.split("/")
    return next((name for name in reversed(names) if name and not _is_container(name)), names[-1])


def _is_container(name: str) -> bool:
    words = plain(name).replace("-", "_").split("_")
    return all(word.isdigit() or word.startswith(_CONTAINERS) or word in ("ham10000", "isic") for word in words)
