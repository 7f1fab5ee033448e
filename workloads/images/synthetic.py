"""Generated images, behind the same ImageSet as read ones, and as JPEG files to time decoding on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.contract import DataRequest, ImageSet
from bench.errors import DataError
from workloads.images.parallel import by_pieces, in_threads
from workloads.images.pillow import pillow
from workloads.images.split import split_by

FILES, FILE_HEIGHT, FILE_WIDTH = 64, 450, 600  # HAM10000's files are 600x450


class Generator(Protocol):
    """Images by index: image i and its label depend on the seed, i and the size, on nothing else."""

    @property
    def title(self) -> str:
        """What the images are, for people: "synthetic lesions"."""
        ...

    @property
    def version(self) -> int:
        """Raised whenever an image or a label changes."""
        ...

    @property
    def jpeg_quality(self) -> int:
        """At which the files hold as many bytes per pixel as real ones do."""
        ...

    def labels(self, seed: int, indices: NDArray[np.int64]) -> NDArray[np.int32]:
        """Class indices (n,)."""
        ...

    def images(self, seed: int, indices: NDArray[np.int64], height: int, width: int) -> NDArray[np.uint8]:
        """Images (n, height, width, 3)."""
        ...


def open_synthetic(
    generator: Generator, request: DataRequest, classes: tuple[str, ...], height: int, width: int
) -> ImageSet:
    """``request.count`` generated images. Raises DataError where the request is about images that are not given."""
    if request.count < 1:
        raise DataError(f"{request.count} synthetic images: expected 1 or more")
    count, seed = request.count, request.seed
    labels = generator.labels(seed, np.arange(count, dtype=np.int64))

    def read(indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return by_pieces(lambda some: generator.images(seed, some, height, width), indices, height, width, 64)

    identity = f"{generator.title}|{generator.version}|{seed}|{count}"
    return ImageSet(
        count=count,
        height=height,
        width=width,
        labels=labels,
        split=split_by(f"synthetic {index}" for index in range(count)),
        description=f"{generator.title}, seed {seed}, {count:,} images, {np.sum(labels == len(classes) - 1):,} {classes[-1]}",
        fingerprint=hashlib.sha256(identity.encode()).hexdigest(),
        read=read,
    )


def write_files(generator: Generator, seed: int, folder: Path) -> Sequence[Path]:
    """JPEG files of images 0 to 63 at 600x450 in ``folder``. Raises DataError without Pillow.

    Those already there are kept, if they are as they were written; SHA-256 digests beside them tell.
    """
    image_module = pillow()
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{generator.title.replace(' ', '-')}-v{generator.version}-{seed}-{FILE_WIDTH}x{FILE_HEIGHT}"
    files = [folder / f"{stem}-{index:03d}.jpg" for index in range(FILES)]
    listed = folder / f"{stem}.sha256"
    written = _lines(listed)
    whole = [bool(line) and _digest(file) == line for file, line in zip_longest(files, written[:FILES])]
    if all(whole):
        return files

    def write(piece: slice) -> None:
        for index in range(*piece.indices(FILES)):
            if not whole[index]:
                pixels = generator.images(seed, np.array([index]), FILE_HEIGHT, FILE_WIDTH)[0]
                part = files[index].with_suffix(f".{os.getpid()}.part")  # whole or not at all, whoever else writes
                image_module.fromarray(pixels).save(part, "JPEG", quality=generator.jpeg_quality)
                part.replace(files[index])

    in_threads(write, FILES, piece=4)
    part = listed.with_suffix(f".{os.getpid()}.part")
    part.write_text("".join(f"{_digest(file)}\n" for file in files))
    part.replace(listed)
    return files


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _digest(file: Path) -> str:
    """The SHA-256 of a file; empty where it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""
