"""MedMNIST's npz layout: ``train_images`` (N, H, W, 3) or (N, H, W) uint8, ``train_labels`` (N, 1) or (N,), and so on.

Nothing is ever unpickled. Members that lie uncompressed in the file are mapped; compressed ones are loaded once, when the
first of their images is read.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError

_DAMAGED = (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
_LOCAL_HEADER = 30  # bytes of a zip member's own header before its name; PKWARE's APPNOTE, section 4.3.7
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class Member:
    """One array in the file, known by its header."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    checksum: int  # the zip's CRC-32 of the array's bytes
    offset: int | None  # where its data begin in the file; None where it cannot be mapped
    start: int = 0  # where its header does


def members(file: Path) -> Mapping[str, Member]:
    """The arrays in an npz file by name, their data unread. Raises DataError, also for pickled objects."""
    try:
        with zipfile.ZipFile(file) as archive, file.open("rb") as stream:
            infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if not infos:
                raise DataError(f"{file.name} is a zip file without arrays: unpack it, and give its folder as --data")
            return {member.name: member for member in (_member(archive, info, stream, file.name) for info in infos)}
    except _DAMAGED as error:
        raise damaged(file, error) from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, stream: IO[bytes], file: str) -> Member:
    name = info.filename.removesuffix(".npy")
    with archive.open(info) as content:
        version = np.lib.format.read_magic(content)
        if version not in _HEADERS:
            raise ValueError(f"{name} is of npy version {version[0]}.{version[1]}")
        shape, fortran, dtype = _HEADERS[version](content)
        header = content.tell()
    if dtype.hasobject:
        raise DataError(
            f"{file} holds pickled objects in {name}, which could run any code: expected plain numbers; save it again with "
            "np.savez from arrays of uint8"
        )
    if any(side < 0 for side in shape) or info.file_size != header + prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} is not as long as its header says")
    mappable = info.compress_type == zipfile.ZIP_STORED and not fortran and prod(shape) > 0
    start = _data_offset(stream, info) if mappable else 0
    return Member(name, shape, dtype, info.CRC, start + header if mappable else None, start)


def _data_offset(stream: IO[bytes], info: zipfile.ZipInfo) -> int:
    stream.seek(info.header_offset)
    local = stream.read(_LOCAL_HEADER)
    return (
        info.header_offset + _LOCAL_HEADER + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
    )


class Arrays:
    """The arrays' data, each fetched once, when it is first asked for."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, Lock()
        self._fetched: dict[str, NDArray[Any]] = {}

    def get(self, member: Member) -> NDArray[Any]:
        """The array, mapped or loaded. Raises DataError where the file is damaged."""
        with self._lock:
            if member.name not in self._fetched:
                self._fetched[member.name] = self._fetch(member)
            return self._fetched[member.name]

    def _fetch(self, member: Member) -> NDArray[Any]:
        try:
            if member.offset is not None:
                mapped = np.memmap(self._file, member.dtype, "r", member.offset, member.shape)
                _check_bytes(self._file, member, mapped)
                return mapped
            with np.load(self._file, allow_pickle=False) as archive:
                return np.asarray(archive[member.name])
        except _DAMAGED as error:
            raise damaged(self._file, error) from error


def _check_bytes(file: Path, member: Member, mapped: NDArray[Any]) -> None:
    """Raises BadZipFile where the bytes are not those that the zip was made of; without it NumPy would not look at mapped ones."""
    with file.open("rb") as stream:
        stream.seek(member.start)
        header = stream.read((member.offset or 0) - member.start)
    if zlib.crc32(mapped.reshape(-1).view(np.uint8), zlib.crc32(header)) != member.checksum:
        raise zipfile.BadZipFile(f"bad checksum of {member.name}")


def damaged(file: Path, error: Exception) -> DataError:
    """The one sentence about a file that is not a whole npz."""
    reason = str(error).strip().rstrip(".") or type(error).__name__
    return DataError(f"{file.name} cannot be read ({reason:.120}): expected a whole npz file; fetch it again")
