"""Image files as an ImageSet: nothing is decoded before it is read, then across all cores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import ImageSet
from bench.errors import DataError
from workloads.images.folder import ImageFile
from workloads.images.kinds import refuse
from workloads.images.parallel import in_threads
from workloads.images.pillow import pillow
from workloads.images.sources import Source
from workloads.images.turbo import decoder


def image_set(
    source: Source,
    files: Sequence[ImageFile],
    labels: NDArray[np.int32] | None,
    split: NDArray[np.uint8],
    size: tuple[int, int],
    description: str,
    **more: Any,
) -> ImageSet:
    """The files that ``source`` holds, their labels (n,) and parts (n,), to be read at a size (height, width).

    ``more``: what was understood, remarks, and why there are no labels, as an ImageSet has them.
    """
    height, width = size

    @cache
    def looked_at() -> None:
        source.check(files)

    def read(indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        pillow()
        looked_at()
        images = np.empty((len(indices), height, width, 3), np.uint8)
        troubles: dict[int, DataError] = {}

        def decode_piece(piece: slice) -> None:
            for place in range(*piece.indices(len(indices))):
                try:
                    images[place] = source.decode(files[int(indices[place])], height, width)
                except DataError as error:  # the others are looked at too, so that all are named at once
                    troubles[place] = error

        in_threads(decode_piece, len(indices), piece=8)
        if len(troubles) == 1:
            raise next(iter(troubles.values()))
        refuse([str(troubles[place]).partition(": expected")[0] for place in sorted(troubles)], len(files))
        return images

    return ImageSet(
        count=len(files),
        height=height,
        width=width,
        labels=labels,
        split=split,
        description=description,
        fingerprint=_fingerprint(files, labels, split),
        read=read,
        **more,
    )


def _fingerprint(files: Sequence[ImageFile], labels: NDArray[np.int32] | None, split: NDArray[np.uint8]) -> str:
    """SHA-256 over the decoder, places, lengths, labels and parts: no file is opened, so 400,000 of them take a second."""
    digest = hashlib.sha256(f"{decoder()}\n".encode())
    classes = [-1] * len(files) if labels is None else labels.tolist()
    for file, label, part in zip(files, classes, split.tolist(), strict=True):
        digest.update(f"{file.relative}\0{file.size}\0{label}\0{part}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def class_counts(labels: NDArray[np.int32], classes: tuple[str, ...]) -> str:
    """How many images each class has, for people: of two classes the last, ``493 melanoma``; else all that occur."""
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    named = list(zip(counts, classes, strict=True))
    told = named[-1:] if len(named) == 2 else [pair for pair in named if pair[0]]
    return ", ".join(f"{count:,} {name}" for count, name in told)
