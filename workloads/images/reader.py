"""The one way to images: synthetic, an npz file, or a folder, whichever ``--data`` names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import DataRequest, ImageSet
from bench.errors import DataError
from workloads.images.decode import decode
from workloads.images.folder import IMAGE_SUFFIXES, JPEG_SUFFIXES, find_images
from workloads.images.labelled_folder import open_folder, open_hdf5
from workloads.images.labels import ClassRules
from workloads.images.medmnist import open_npz
from workloads.images.sources import HDF5
from workloads.images.synthetic import Generator, open_synthetic, write_files
from workloads.images.turbo import decoder
from workloads.lesions import SyntheticLesions

_LESIONS = SyntheticLesions()
_NEEDS_DATA = ("labels", "image_column", "label_column", "group_column", "positive")


class ImageReader:
    """``bench.contract.DataReader`` for a workload with these classes.

    ``classes`` are two, the rest before the positive one, or as many as the labels have; ``synthetic`` makes images where none
    are given (None: that is an error).
    """

    def __init__(self, classes: Sequence[str], synthetic: Generator | None = _LESIONS) -> None:
        self._rules = ClassRules(tuple(classes))
        self._synthetic = synthetic

    def open(self, request: DataRequest, height: int, width: int) -> ImageSet:
        """Find the images and check the labels; decode nothing yet. Raises DataError."""
        if request.path is None:
            return open_synthetic(self._generator(request), request, self._rules.classes, height, width)
        if _is_folder(request.path):
            return open_folder(request.path, request, self._rules, (height, width))
        if _is_hdf5(request.path):
            return open_hdf5(request.path, request, self._rules, (height, width))
        return open_npz(request.path, request, self._rules, (height, width))

    def files(self, request: DataRequest, folder: Path) -> Sequence[Path]:
        """The JPEG files under ``request.path``, sorted, or synthetic ones written to ``folder``. Raises DataError."""
        if request.path is None:
            return write_files(self._generator(request), request.seed, folder)
        if not _is_folder(request.path):
            kind = "a file in HDF5 holds images" if _is_hdf5(request.path) else "an npz file holds pixels"
            raise DataError(f"{kind}, no JPEG files to decode: expected a folder of JPEG files")
        found = [file.relative for file in find_images(request.path) if file.name.lower().endswith(JPEG_SUFFIXES)]
        if not found:
            raise DataError("the folder holds PNG files only: expected JPEG files to time decoding on")
        return [request.path / relative for relative in found]

    @property
    def lowering(self) -> str:
        """What decodes JPEG files here."""
        return decoder()

    def decode(self, file: Path, height: int, width: int) -> tuple[NDArray[np.uint8], int]:
        """Decode, resize and crop one file: the image (height, width, 3), and the pixels that the file holds."""
        return decode(file, height, width)

    def _generator(self, request: DataRequest) -> Generator:
        if self._synthetic is None:
            raise DataError("this workload has no synthetic images: name a folder of real ones or an npz file with --data")
        for option in _NEEDS_DATA:
            if getattr(request, option):
                dashed = option.replace("_", "-")
                raise DataError(f"--{dashed} is about your own images, but none are given; name them with --data")
        return self._synthetic


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(HDF5)) == HDF5


def _is_folder(path: Path) -> bool:
    """Whether ``--data`` is a folder; if not, it is an npz file. Raises DataError for anything else."""
    try:
        if path.is_dir():
            return True
        if not path.exists():
            raise DataError(f"{path} does not exist: expected a folder of images or an npz file; check --data")
        if not path.is_file():
            raise DataError(f"{path} is neither a file nor a folder: expected a folder of images or an npz file")
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise DataError(f"{path} cannot be opened ({error.strerror}): expected a folder of images or an npz file") from error
    if head.startswith((b"PK", HDF5)):
        return False
    if not head:
        raise DataError(f"{path} is empty: expected a folder of images or an npz file; check --data")
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        raise DataError(f"{path} is a single image: expected a folder of images; give the folder that holds it")
    if suffix in (".csv", ".tsv", ".tab"):
        raise DataError(f"{path} is a table: expected a folder of images as --data; give the table as --labels")
    raise DataError(f"{path} is a file of an unknown kind: expected a folder of images or an npz file; check --data")
