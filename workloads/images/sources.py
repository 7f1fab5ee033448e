"""Where images lie: files below a folder, or a file in HDF5 that holds them, as ISIC 2024 is published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from workloads.images.decode import decode, decode_bytes
from workloads.images.folder import ImageFile
from workloads.images.groups import equal_contents, equal_lengths
from workloads.images.kinds import HEAD, check_files, refuse, trouble_of

HDF5 = b"\x89HDF"


class Source(Protocol):
    """What gives the images that a list of ``ImageFile`` names."""

    @property
    def folder(self) -> Path:
        """Where tables lie."""
        ...

    @property
    def kind(self) -> str:
        """How a description begins: "folder"."""
        ...

    def decode(self, image: ImageFile, height: int, width: int) -> NDArray[np.uint8]:
        """The image (height, width, 3). Raises DataError."""
        ...

    def check(self, images: Sequence[ImageFile]) -> None:
        """Raises DataError, which names every image that is no JPEG or PNG."""
        ...

    def copies(self, images: Sequence[ImageFile]) -> list[list[int]]:
        """The places of images of equal content, for each content that comes more than once."""
        ...


class FolderSource:
    """Image files below a folder."""

    kind = "folder"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def decode(self, image: ImageFile, height: int, width: int) -> NDArray[np.uint8]:
        """The image (height, width, 3) in its file."""
        return decode(self.folder / image.relative, height, width)[0]

    def check(self, images: Sequence[ImageFile]) -> None:
        """Look at the beginning of each file."""
        check_files(self.folder, images)

    def copies(self, images: Sequence[ImageFile]) -> list[list[int]]:
        """Compare files of equal length."""
        return equal_contents(equal_lengths(images), lambda place: (self.folder / images[place].relative).read_bytes())


class Hdf5Source:
    """A file in HDF5 with a dataset of JPEG bytes for each image, called after it."""

    kind = "HDF5 file"

    def __init__(self, file: Path) -> None:
        self.folder = file.parent
        self.name = file.name
        self._lock = Lock()  # HDF5 reads one thing at a time
        self._file = _opened(file)

    def images(self) -> list[ImageFile]:
        """The images by name, their lengths unread. Raises DataError where there is none."""
        names = sorted(self._file.keys())
        if not names:
            raise DataError(f"{self.name} holds no image: expected a dataset of JPEG bytes for each; check --data")
        return [ImageFile(f"{name}.jpg", 0) for name in names]

    def decode(self, image: ImageFile, height: int, width: int) -> NDArray[np.uint8]:
        """The image (height, width, 3) in its dataset."""
        return decode_bytes(self._bytes(image), image.stem, height, width)[0]

    def check(self, images: Sequence[ImageFile]) -> None:
        """Look at the beginning of each dataset."""
        troubles = [(image, trouble_of(self._bytes(image)[:HEAD])) for image in images]
        refuse([f"{image.stem} {trouble}" for image, trouble in troubles if trouble], len(images))

    def copies(self, images: Sequence[ImageFile]) -> list[list[int]]:
        """Compare all datasets: a length is known only once its dataset has been opened."""
        return equal_contents(range(len(images)), lambda place: self._bytes(images[place]))

    def _bytes(self, image: ImageFile) -> bytes:
        try:
            with self._lock:
                value = self._file[image.stem][()]
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise DataError(
                f"{image.stem} in {self.name} cannot be read: expected JPEG bytes; fetch the file again"
            ) from error
        return np.asarray(value).tobytes()


def _opened(file: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise DataError(f"{file.name} is in HDF5, which needs h5py: pip install 'accelbench[hdf5]'") from error
    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise DataError(f"{file.name} cannot be read ({error}): expected a whole HDF5 file; fetch it again") from error
