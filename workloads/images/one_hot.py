"""One-hot tables: a column of 0 and 1 for each diagnosis, as ISIC's challenges from 2017 to 2019 publish them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import DataError
from workloads.images.labels import plain

# ISIC 2018: MEL to VASC; 2019 has AK in the place of AKIEC, and SCC and UNK besides (challenge.isic-archive.com, "Data").
_DIAGNOSES = frozenset(
    ("mel", "nv", "bcc", "akiec", "ak", "bkl", "df", "vasc", "scc", "unk", "melanoma", "nevus", "seborrheic_keratosis")
)
_VERDICTS = frozenset(("benign", "malignant"))  # only as a pair: beside diagnoses they say something else of the same image
# ISIC 2017 has two columns, and calls an image with two zeros a nevus.
_NEITHER = {frozenset(("melanoma", "seborrheic_keratosis")): "nevus"}

_YES_OR_NO = {"0": False, "1": True, "false": False, "true": True}


def one_hot_columns(header: Sequence[str], classes: Sequence[str]) -> list[int]:
    """The places of the columns named after diagnoses, or after a workload's ``classes``; none where there is only one."""
    for known in (_DIAGNOSES | {plain(name) for name in classes}, _VERDICTS):
        places = [place for place, name in enumerate(header) if plain(name) in known]
        if len(places) > 1:
            return places
    return []


def diagnosis_of(cells: Sequence[str], header: Sequence[str], columns: Sequence[int], where: str) -> str:
    """The name of the one column that holds 1. Raises DataError, which begins with ``where``, for anything else."""
    marked = []
    for place in columns:
        cell = cells[place].strip() if place < len(cells) else ""
        if plain(cell) not in _YES_OR_NO:
            raise DataError(
                f"{where} has {cell!r:.40} in column {header[place]:.40}: expected 0 or 1 in each of "
                f"{told(header, columns)}; correct it, or name the column of labels with --label-column"
            )
        if _YES_OR_NO[plain(cell)]:
            marked.append(header[place])
    neither = _NEITHER.get(frozenset(plain(header[place]) for place in columns))
    if len(marked) == 1:
        return marked[0]
    if not marked and neither is not None:
        return neither
    raise DataError(
        f"{where} has 1 in {len(marked)} of the columns {told(header, columns)}: expected exactly one; correct it, or name "
        "the column of labels with --label-column"
    )


def told(header: Sequence[str], columns: Sequence[int]) -> str:
    """The columns' names for a message."""
    return ", ".join(f"{header[place]:.40}" for place in columns[:12])
