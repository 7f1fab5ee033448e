"""Names of images as tables and file systems write them: with or without a suffix and folders, in NFC or NFD, in any case."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

from workloads.images.folder import IMAGE_SUFFIXES


def composed(name: str) -> str:
    """The name in Unicode's composed form (NFC): macOS stores an umlaut as two characters, and tables hold it as one."""
    return unicodedata.normalize("NFC", name)


def key(name: str) -> str:
    """Equal for names that differ in case or in Unicode's form alone."""
    return composed(composed(name).casefold())


def place_of(name: str) -> PurePosixPath:
    """A name as a table gives it, with folders separated by ``/`` or a backslash, as a place."""
    return PurePosixPath(name.replace("\\", "/"))


def stem_of(name: str) -> str:
    """The last part of a name, without an image file's suffix; other suffixes are parts of names."""
    place = place_of(name)
    return place.stem if place.suffix.casefold() in IMAGE_SUFFIXES else place.name
