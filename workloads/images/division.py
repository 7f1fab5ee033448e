"""How labelled images are divided into training, validation and test, and what there is to say about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.contract import TEST, VALIDATION
from bench.errors import DataError
from workloads.images.folder import ImageFile
from workloads.images.groups import grouped, known
from workloads.images.parts import NAMES, parts_by_column, parts_by_folder
from workloads.images.sources import Source
from workloads.images.split import split_as_given, split_by
from workloads.images.table import Row, Table
from workloads.images.understood import counted

_SHOWN = 3


@dataclass(frozen=True)
class Division:
    """The parts of images, how they came about, and what to say of groups and copies."""

    split: NDArray[np.uint8]  # (n,)
    by: str  # for a description: "split by patient and lesion", "split as its folders give it"
    understood: tuple[str, ...]
    remarks: tuple[str, ...]


def divided(
    source: Source, files: Sequence[ImageFile], labels: NDArray[np.int32], table: Table | None, rows: Sequence[Row]
) -> Division:
    """The division of ``files`` with their ``labels`` (n,) and the rows (n,) of their table, if there is one. Raises DataError."""
    identifiers = _identifiers(rows) if table is not None else [()] * len(files)
    contents = source.copies(files)
    groups = grouped(files, identifiers, contents)
    kinds = _kinds(table)
    given, whose = parts_by_folder(files), "its folders give"
    if table is not None and table.split_column is not None:
        by_column = parts_by_column([row.part for row in rows])
        if given is None:
            given, whose = by_column, f"column {table.split_column} gives"
        elif by_column is not None and (differ := int(np.sum(given != by_column))):
            raise DataError(
                f"column {table.split_column} and the folders give {counted(differ, 'image')} different parts of the split: expected "
                "one split; remove the column, or choose a folder without the other"
            )
    if given is None:
        split, by = split_by(groups), f"split by {kinds}"
    else:
        split, by = split_as_given(given, groups), f"split as {whose} it"
        for part, neighbour in ((VALIDATION, "training"), (TEST, "validation")):
            if not (given == part).any():
                by += f", {NAMES[part]} out of {neighbour} by {kinds}"
    understood = [*_about_groups(groups, identifiers, kinds), *_about_parts(groups, split)]
    about, remarks = _about_copies(files, contents, split, labels)
    return Division(split, by, (*understood, *about), remarks)


def _kinds(table: Table | None) -> str:
    """What is never split between two parts."""
    if table is None or not table.group_columns:
        return "image"
    return " and ".join(column.casefold().removesuffix("_id") for column in table.group_columns)


def _identifiers(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Each row's identifiers, those of later kinds made unique where their numbers begin anew for each patient."""
    identifiers = [row.groups for row in rows]
    kinds = len(identifiers[0]) if identifiers else 0
    for kind in range(1, kinds):
        owners: defaultdict[str, set[str]] = defaultdict(set)
        for row in identifiers:
            if known(row[0]) and known(row[kind]):
                owners[row[kind]].add(row[0])
        shared = sum(len(found) > 1 for found in owners.values())
        if 2 * shared > len(owners):
            identifiers = [(*row[:kind], _within(row[0], row[kind]), *row[kind + 1 :]) for row in identifiers]
    return identifiers


def _within(owner: str, identifier: str) -> str:
    return f"{identifier} of {owner}" if known(owner) and known(identifier) else ""


def _about_groups(groups: Sequence[str], identifiers: Sequence[Sequence[str]], kinds: str) -> list[str]:
    if not identifiers or not identifiers[0]:
        return []
    alone = sum(not any(map(known, row)) for row in identifiers)
    sizes = Counter(groups)
    lines = [f"groups by {kinds}: {len(sizes):,}, the largest of {counted(max(sizes.values()), 'image')}"]
    if alone:
        lines.append(f"{counted(alone, 'image')} without {kinds.replace(' and ', ' or ')}: each a group of its own")
    return lines


def _about_parts(groups: Sequence[str], split: NDArray[np.uint8]) -> list[str]:
    """Groups that a given split tears apart."""
    parts: defaultdict[str, set[int]] = defaultdict(set)
    for group, part in zip(groups, split.tolist(), strict=True):
        parts[group].add(part)
    torn = sum(len(found) > 1 for found in parts.values())
    return (
        [f"warning: {counted(torn, 'group')} of images that belong together lie in several parts of the given split"]
        if torn
        else []
    )


def _about_copies(
    files: Sequence[ImageFile], contents: Sequence[Sequence[int]], split: NDArray[np.uint8], labels: NDArray[np.int32]
) -> tuple[list[str], tuple[str, ...]]:
    """What to say, without and with names, of images whose files are equal."""
    if not contents:
        return [], ()
    understood = [f"{counted(sum(len(places) - 1 for places in contents), 'image')} with the content of another"]
    remarks = []
    for what, trouble in (
        ("in several parts of the given split", [places for places in contents if len({int(split[p]) for p in places}) > 1]),
        ("with different labels", [places for places in contents if len({int(labels[p]) for p in places}) > 1]),
    ):
        if trouble:
            understood.append(f"warning: {counted(len(trouble), 'content')} {what}")
            pairs = "; ".join(" = ".join(repr(files[place].relative) for place in places[:2]) for places in trouble[:_SHOWN])
            more = f" and {len(trouble) - _SHOWN:,} more" if len(trouble) > _SHOWN else ""
            remarks.append(f"equal images {what}: {pairs}{more}")
    return understood, tuple(remarks)
