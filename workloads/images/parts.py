"""The split that a user's data bring along: folders called train and test, or a table's column."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.contract import TEST, TRAIN, VALIDATION
from bench.errors import DataError
from workloads.images.folder import ImageFile

SPLIT_COLUMNS = ("split", "partition", "subset", "set")
NAMES = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}

_WORDS = {
    "train": TRAIN,
    "training": TRAIN,
    "trainset": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
    "testset": TEST,
}


def part_of(name: str) -> int | None:
    """The part that a folder or a cell is called after, as ``ISIC2018_Task3_Training_Input`` is; None for none or several."""
    found = {_WORDS[word] for word in re.split(r"[\W_]+", name.casefold()) if word in _WORDS}
    return found.pop() if len(found) == 1 else None


def parts_by_folder(files: Sequence[ImageFile]) -> NDArray[np.uint8] | None:
    """The part (n,) that each image's folders give; None where they give none. Raises DataError where they give it for some only."""
    return _whole([_part_by_folder(file.parent) for file in files], "lie in no folder called after a part")


def _part_by_folder(parent: str) -> int | None:
    return next((part for part in map(part_of, parent.split("/")) if part is not None), None)


def parts_by_column(values: Sequence[str]) -> NDArray[np.uint8] | None:
    """The part (n,) that a column gives; None where its values are not the names of parts. Raises DataError as above."""
    if any(value and value.casefold() not in _WORDS for value in values):
        return None
    return _whole([_WORDS.get(value.casefold()) for value in values], "have no part in the table")


def _whole(parts: Sequence[int | None], otherwise: str) -> NDArray[np.uint8] | None:
    """The parts as an array; None where there is no training part, or no other beside it."""
    found = set(parts) - {None}
    if TRAIN not in found or len(found) < 2:
        return None
    missing = parts.count(None)
    if missing:
        names = " and ".join(NAMES[part] for part in sorted(part for part in found if part is not None))
        raise DataError(
            f"the data bring a split into {names}, but {missing:,} of {len(parts):,} images {otherwise}: expected a part for "
            "each; move them, or choose a smaller folder"
        )
    return np.array(parts, np.uint8)
