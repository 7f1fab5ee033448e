"""Reading and writing sealed records: one JSON file each, with a digest that tells an edit from the original."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from bench.errors import RecordError
from bench.record import version1
from bench.record.damage import DAMAGE
from bench.record.schema import VERSION, Record

NAME = "record.json"

_PREFIX = b'{"format":"accelbench record","version":%d,"sha256":"%s","record":'


class _Envelope(msgspec.Struct):
    format: str
    version: int
    sha256: str
    record: msgspec.Raw


def write_record(record: Record, path: Path) -> None:
    """Write atomically: either the whole record is at ``path`` afterwards, or what was there before."""
    try:
        write_durably(sealed(record), path)
    except OSError as error:
        raise RecordError(
            f"cannot write {path}: {error.strerror}; everything measured is kept: make room, then bench run --resume {path.parent}"
        ) from None


def write_durably(content: bytes, path: Path) -> None:
    """Put ``content`` on disk at ``path``, whole or not at all. Raises OSError."""
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def sealed(record: Record) -> bytes:
    """A record as it lies in its file, digest included."""
    body = msgspec.json.encode(record)
    return _PREFIX % (VERSION, hashlib.sha256(body).hexdigest().encode()) + body + b"}\n"


def read_record(path: Path) -> Record:
    """The record at ``path`` (a file, or a run's folder). Raises RecordError naming the file and what is wrong with it."""
    file = path / NAME if path.is_dir() else path
    if file.exists() and not file.is_file():
        raise RecordError(f"{file} is no file; expected a {NAME} that 'bench run' sealed")
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise RecordError(_missing(path, file)) from None
    except OSError as error:
        raise RecordError(f"cannot read record {file}: {error.strerror}") from None
    except MemoryError:
        raise RecordError(f"cannot read record {file}: it is larger than memory") from None
    return decode_record(content, str(file))


def _missing(path: Path, file: Path) -> str:
    if path.is_dir() and (path / "journal.jsonl").exists():
        return f"{path} is an unfinished run; finish it with: bench run --resume {path}"
    return f"no record at {file}; expected a {NAME} that 'bench run' sealed"


def decode_record(content: bytes, file: str) -> Record:
    """The record in a file's content. Raises RecordError naming the file and what is wrong with it."""
    try:
        envelope = msgspec.json.decode(content, type=_Envelope)
    except DAMAGE as error:
        raise RecordError(f"{file} is not a whole record ({error}); it may be truncated: copy it again") from None
    if envelope.format != "accelbench record":
        raise RecordError(f"{file} has format '{envelope.format:.60}'; expected 'accelbench record'")
    if envelope.version not in {version1.OLD, VERSION}:
        raise RecordError(
            f"{file} has record version {envelope.version}; this release reads versions {version1.OLD} and {VERSION}: "
            "use the release of accelbench that wrote it, or a newer one"
        )
    body = bytes(envelope.record)
    if hashlib.sha256(body).hexdigest() != envelope.sha256:
        raise RecordError(f"{file} does not match its own SHA-256: it was edited or damaged after it was sealed")
    try:
        old = envelope.version == version1.OLD
        inside, record = version1.decode(body) if old else _decode(body)
    except DAMAGE as error:
        raise RecordError(f"{file} breaks the record schema: {error}") from None
    if inside != envelope.version:
        raise RecordError(f"{file} says version {envelope.version} outside and {inside} inside; it was put together by hand")
    return record


def _decode(body: bytes) -> tuple[int, Record]:
    record = msgspec.json.decode(body, type=Record)
    return record.version, record


def find_records(path: Path) -> list[Path]:
    """Records at ``path``: the file itself, the run's folder, or every run below a folder, sorted."""
    if path.is_file() or (path / NAME).exists():
        return [path]
    found = []
    for folder, _, names in os.walk(path, onerror=_refuse):
        found += [Path(folder) / NAME] if NAME in names else []
    return sorted(found)


def _refuse(error: OSError) -> None:
    """A folder that cannot be read may hold records: leaving them out would change what is said of the rest."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise RecordError(f"cannot look for records in {error.filename}: {error.strerror}")
