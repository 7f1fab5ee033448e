"""Where records lie: a file, a folder, or any address that fsspec knows, such as ``s3://bucket/team``.

A record never changes and every run has a name of its own, so machines write side by side without a server.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, RecordError, UsageError
from bench.files import umask
from bench.record.files import NAME, decode_record, find_records, read_record, sealed, write_record
from bench.record.schema import Record

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_ADDRESS = re.compile(r"(?P<protocol>[a-z][a-z0-9+._-]+)(?:://|::)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_EXTRAS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs"}

_WEB = {"http", "https"}


@dataclass(frozen=True)
class Remote:
    """A record, or a folder of them, in an object store."""

    address: str

    def __str__(self) -> str:
        return re.sub(r"//[^/@\s]*@", "//", self.address)  # no user and password in a message


Place = Path | Remote


def place_of(text: str) -> Place:
    """A path, or an address. Raises RecordError for an empty name."""
    if not text.strip():
        raise RecordError(
            "no record at an empty name; expected a record, a run's folder, a folder of runs, or an address as s3://bucket/team"
        )
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        return Path(text)
    if not found["rest"].strip("/"):
        raise RecordError(
            f"the address '{text:.80}' ends where its bucket or folder should be named; expected one as s3://bucket/team"
        )
    protocol = found["protocol"].lower()
    if protocol not in _WEB and re.search(r"::https?://", text, re.IGNORECASE):
        raise RecordError(f"the address '{text:.80}' has a web address within another; expected a web address alone")
    return Remote(protocol + text.strip()[len(protocol) :].rstrip("/"))


def records_at(place: Place) -> list[Place]:
    """Every record there, sorted; none where there is none. Raises RecordError."""
    if isinstance(place, Path):
        return list(find_records(place))
    if _protocol(place) in _WEB:  # a record; the links of a page are not followed
        return [place]
    with _reaching(place) as (files, path):
        if path.endswith(f"/{NAME}"):
            return [place]
        found = [name for name in sorted(files.find(path)) if name.rsplit("/", 1)[-1] == NAME]
        stem = place.address.partition("?")[0]
        return [_within(stem, path, name) for name in found]


def _within(address: str, path: str, name: str) -> Remote:
    """The address of a file below an address whose path in its file system is ``path``: what stores make of hosts, users and
    leading slashes is theirs."""
    below = name[len(path) :] if name.startswith(path) else name.lstrip("/").removeprefix(path.lstrip("/"))
    return Remote(f"{address.rstrip('/')}/{below.lstrip('/')}")


def read_place(place: Place) -> Record:
    """The record there. Raises RecordError."""
    if isinstance(place, Path):
        return read_record(place)
    if _protocol(place) in _WEB:
        return decode_record(_fetched(place), str(place))
    with _reaching(place) as (files, path):
        try:
            content = files.cat_file(path if path.endswith(f"/{NAME}") else f"{path}/{NAME}")
        except FileNotFoundError:
            raise RecordError(
                f"no record at {place}; expected a {NAME} that 'bench run' sealed, or a folder of them"
            ) from None
    return decode_record(content, str(place))


def _fetched(place: Remote) -> bytes:
    """The content of a web address. Raises RecordError."""
    from http.client import HTTPException

    from bench.record.web import fetch

    path, mark, query = place.address.partition("?")
    file = path if path.endswith(f"/{NAME}") else f"{path}/{NAME}"
    try:
        return fetch(f"{file}{mark}{query}")
    except FileNotFoundError:
        raise RecordError(
            f"no record at {place}; expected the address of a {NAME} that 'bench run' sealed, or of its folder: the links of a page are not "
            "followed"
        ) from None
    except (OSError, HTTPException, ValueError) as error:
        raise RecordError(f"cannot reach {place}: {_sentence(error, place)}") from None


def _refuse_web(place: Place) -> None:
    """Raises RecordError for a place that is only read."""
    if isinstance(place, Remote) and _protocol(place) in _WEB:
        raise RecordError(
            f"{place} is a web address, from which records are only read; name a folder or an address as s3://bucket/team"
        )


def write_place(record: Record, folder: Place) -> Place:
    """Put a sealed record into a folder of its own there; what is there already stays. Returns where. Raises RecordError."""
    _refuse_web(folder)
    name = re.sub(r"[^\w.-]", "_", record.id)[:100].lstrip(".") or "record"  # never a folder above, never a hidden one
    if isinstance(folder, Path):
        target = folder / name / NAME
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_once(sealed(record), target)
        except FileExistsError:
            if _supersedes(record, target):
                write_record(record, target)
                return target
            return _same(record, target)
        except OSError as error:
            raise RecordError(f"cannot write {target}: {error.strerror}") from None
        return target
    stem, double, rest = folder.address.rpartition("://")
    there = Remote(f"{stem}{double}{re.sub('/{2,}', '/', rest) if stem != 'file' else rest}/{name}/{NAME}")
    with _reaching(there) as (files, path):
        if files.exists(path):
            if _supersedes(record, there):
                files.pipe_file(path, sealed(record))
                return there
            return _same(record, there)
        if (
            _protocol(there) in _EXTRAS
        ):  # a store has no folders, and would make the bucket, in whatever region and with whatever rights
            _refuse_missing_bucket(there, files, path)
        else:
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            files.pipe_file(path, sealed(record), mode="create")  # no other may come between
        except FileExistsError:
            return _same(record, there)
    return there


def _write_once(content: bytes, target: Path) -> None:
    """Whole or not at all, and never over a file that is there: then FileExistsError."""
    descriptor, name = tempfile.mkstemp(prefix=".record-", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.chmod(0o666 & ~umask())
        try:
            target.hardlink_to(temporary)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with target.open("xb") as file:
                file.write(content)
    finally:
        temporary.unlink()


def check_place(folder: Place) -> None:
    """Raises RecordError where nothing can be reached or, in a local folder, written, before anything is measured for it."""
    _refuse_web(folder)
    if isinstance(folder, Remote):
        with _reaching(folder) as (files, path):
            files.exists(path)
            if _protocol(folder) in _EXTRAS:
                _refuse_missing_bucket(folder, files, path)
        return
    there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "is not writable" if there.is_dir() else "is no folder"
        raise RecordError(f"cannot publish to {folder}: {there} {why}")


def _refuse_missing_bucket(place: Remote, files: AbstractFileSystem, path: str) -> None:
    """Raises RecordError where there is no such bucket. Who may write but not look is believed."""
    bucket = path.strip("/").partition("/")[0]
    try:
        there = files.exists(bucket)
    except PermissionError:
        return
    if not there:
        raise RecordError(
            f"there is no bucket '{bucket}' for {place}; make it with the store's own tools, or correct the name"
        )


def _supersedes(record: Record, place: Place) -> bool:
    """Whether a record is the finished run whose incomplete record lies at ``place``."""
    there = read_place(place)
    return record.complete and not there.complete and (there.id, there.created) == (record.id, record.created)


def _same(record: Record, place: Place) -> Place:
    if read_place(place) != record:
        raise RecordError(
            f"{place} is there already and is another record; records are never overwritten: choose another folder"
        )
    return place


def _protocol(place: Remote) -> str:
    return place.address.partition("://")[0].lower()


@contextmanager
def _reaching(place: Remote) -> Iterator[tuple[AbstractFileSystem, str]]:
    """The file system of an address, and the path in it. Raises RecordError for whatever goes wrong on the way, in one sentence."""
    protocol = _protocol(place)
    try:
        import fsspec
    except ImportError:
        raise UsageError(f"{place} needs fsspec; pip install fsspec") from None
    try:
        files, path = fsspec.core.url_to_fs(place.address)
        yield files, str(path)
    except BenchError:
        raise
    except ImportError:
        raise UsageError(
            f"{place} needs a package for {protocol}://; pip install {_EXTRAS.get(protocol, 'the fsspec package for it')}"
        ) from None
    except Exception as error:  # every store has errors of its own
        raise RecordError(f"cannot reach {place}: {_sentence(error, place)}") from None


def _sentence(error: Any, place: Remote) -> str:
    """What a store says of an error, without the user and password that it may repeat from the address."""
    secret = re.search(r"//([^/@\s]*)@", place.address)
    text = " ".join(str(error).split())
    for word in [] if secret is None else [secret[1], *secret[1].split(":")]:
        text = text.replace(word, "…") if word else text
    return (text or type(error).__name__)[:200]
