"""What is said of images that were found: classes with counts, and the split. No file and no place is named: it enters records."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workloads.images.parts import NAMES


def facts(labels: NDArray[np.int32], classes: tuple[str, ...], split: NDArray[np.uint8], how: str) -> tuple[str, ...]:
    """One line on the classes of ``labels`` (n,), and one on the parts of ``split`` (n,), made as ``how`` says."""
    parts = [f"{_share(labels[split == part], name, classes)}" for part, name in NAMES.items()]
    return f"classes: {_counts(labels, classes)}", f"{how}: {'; '.join(parts)}"


def _share(labels: NDArray[np.int32], name: str, classes: tuple[str, ...]) -> str:
    of_two = f" ({np.sum(labels == 1):,} {classes[1]})" if len(classes) == 2 else ""
    return f"{len(labels):,} {name}{of_two}"


def _counts(labels: NDArray[np.int32], classes: tuple[str, ...]) -> str:
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    return ", ".join(f"{count:,} {name}" for count, name in zip(counts, classes, strict=True))


def counted(count: int, noun: str) -> str:
    """A number with its noun: ``1 row``, ``1,200 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
