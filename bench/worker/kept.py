"""Whether the arrays that Prepare has left in the cache are still what they were.

A disk that was full, power that failed or anybody's hand may have changed them since, and wrong images time as well as right ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from bench.errors import DataError

FACTS = "facts.json"
IMAGES, LABELS, SPLIT, CALIBRATED = "images.npy", "labels.npy", "split.npy", "calibrated.npz"
ARRAYS = (IMAGES, LABELS, SPLIT, CALIBRATED)

CHUNK = 64 * 2**20
"""Bytes under one digest."""

MOST_CHUNKS = 32
"""How many chunks of a file are read again before each run: of files up to 2 GiB all are read, of larger ones as many
as these, drawn at random anew for each run. Reading them takes seconds."""


def keep(folder: Path, facts: dict[str, Any]) -> None:
    """Put the arrays in ``folder`` onto the disk, and then the facts with the arrays' digests beside them. Raises OSError."""
    arrays = {name: {"bytes": (folder / name).stat().st_size, "sha256": _digests(folder / name)} for name in ARRAYS}
    (folder / FACTS).write_text(json.dumps(facts | {"arrays": arrays}))
    for name in (*ARRAYS, FACTS, ""):  # the folder itself too
        _to_disk(folder / name)


def _to_disk(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def damage(folder: Path) -> str:
    """Return what is wrong with the arrays in a folder; empty where they are as they were written."""
    try:
        arrays = json.loads((folder / FACTS).read_bytes())["arrays"]
        for name in ARRAYS:
            size, found = arrays[name]["bytes"], (folder / name).stat().st_size
            if found != size:
                return f"{name} has {found:,} bytes and had {size:,}"
            before = arrays[name]["sha256"]
            chosen = sorted(random.sample(range(len(before)), min(MOST_CHUNKS, len(before))))
            if _digests(folder / name, chosen) != [before[number] for number in chosen]:
                return f"{name} is not as it was written"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _digests(file: Path, chosen: list[int] | None = None) -> list[str]:
    """The SHA-256 of each chunk of a file, or of those chosen."""
    with file.open("rb") as opened:
        count = -(-os.fstat(opened.fileno()).st_size // CHUNK)
        found = []
        for number in range(count) if chosen is None else chosen:
            opened.seek(number * CHUNK)
            found.append(hashlib.sha256(opened.read(CHUNK)).hexdigest())
        return found


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Raises DataError where an array that Prepare has left cannot be read: it has gone since, is damaged, or is another
    kind of array file (NumPy's TypeError)."""
    try:
        yield
    except (OSError, ValueError, TypeError, EOFError, KeyError, BadZipFile) as error:
        words = str(error).partition("\n")[0] if isinstance(error, OSError) else "it is no whole array"
        raise DataError(f"the decoded images in {folder} cannot be read ({words}); a new run decodes them again") from error
