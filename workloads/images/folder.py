"""The image files under a folder, found without opening any."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from bench.errors import DataError

JPEG_SUFFIXES = (".jpg", ".jpeg")
IMAGE_SUFFIXES = (*JPEG_SUFFIXES, ".png")


class ImageFile(NamedTuple):
    """One file, by its place below the folder, parts joined by ``/``."""

    relative: str
    size: int  # bytes

    @property
    def name(self) -> str:
        """The last part, with its suffix."""
        return self.relative.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The last part, without its suffix: what HAM10000 calls the image_id."""
        return self.name.rpartition(".")[0]

    @property
    def parent(self) -> str:
        """The folder that holds it, "" at the top."""
        return self.relative.rpartition("/")[0]


def find_images(folder: Path) -> list[ImageFile]:
    """Every JPEG and PNG file under ``folder``, sorted by place; hidden files and folders are left alone. Raises DataError."""
    return find_files(folder)[0]


def find_files(folder: Path) -> tuple[list[ImageFile], list[ImageFile]]:
    """The images as ``find_images`` gives them, and every other file, sorted by place. Raises DataError where there is no image."""
    found: list[ImageFile] = []
    others: list[ImageFile] = []
    visited: set[tuple[int, int]] = set()
    waiting = [(str(folder), "")]
    while waiting:
        path, relative = waiting.pop()
        for entry, is_folder in _entries(path, visited):
            if is_folder:
                waiting.append((entry.path, f"{relative}{entry.name}/"))
            elif entry.name.lower().endswith(IMAGE_SUFFIXES):
                found.append(ImageFile(relative + entry.name, entry.stat().st_size))
            else:
                others.append(ImageFile(relative + entry.name, entry.stat().st_size))
    if not found:
        kinds = Counter(Path(other.name).suffix.lower() or "no suffix" for other in others)
        raise DataError(f"{folder} holds no JPEG or PNG file{_instead(kinds)}")
    return sorted(found), sorted(others)


def _entries(path: str, visited: set[tuple[int, int]]) -> list[tuple[os.DirEntry[str], bool]]:
    """What lies in a folder, with whether it is a folder; nothing where the folder was seen before, through a link."""
    try:
        status = Path(path).stat()
        if (status.st_dev, status.st_ino) in visited:
            return []
        visited.add((status.st_dev, status.st_ino))
        with os.scandir(path) as entries:
            seen = [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
            return [(entry, entry.is_dir()) for entry in seen if entry.is_dir() or entry.is_file()]
    except OSError as error:
        found = f"{path} cannot be read ({error.strerror})"
        raise DataError(f"{found}: expected a folder of images; check its permissions") from error


def _instead(others: Counter[str]) -> str:
    if not others:
        return ", nor anything else: expected a folder of images; check --data"
    kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in others.most_common(4))
    remedy = "convert the images to 8-bit JPEG or PNG, or check --data"
    if ".npz" in others:
        remedy = "give the npz file itself as --data"
    elif ".hdf5" in others or ".h5" in others:
        remedy = "give the HDF5 file itself as --data"
    return f", only {kinds}: expected a folder of images; {remedy}"
