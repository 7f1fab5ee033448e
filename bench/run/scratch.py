"""Folders for temporary files. A run that is killed leaves its own behind, and the next one sweeps them away."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "accelbench-tmp-"
"""What the names of these folders begin with, and of no others: whatever has such a name and no owner is deleted."""

OLD_SECONDS = 60.0
"""A folder that is younger may be one that its run has made and not locked yet."""


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a new folder, which is gone afterwards. As long as this process lives, nobody sweeps it away."""
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name, owned(Path(name)):
        yield Path(name)


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Own a folder within the block, so that nobody sweeps it away."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks; there nothing is swept either
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def sweep() -> None:
    """Delete this user's folders for temporary files whose process has gone."""
    sweep_unowned(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def sweep_unowned(folders: Iterable[Path]) -> None:
    """Delete those of these folders that are this user's and whose process has gone; what cannot be deleted stays."""
    for folder in folders:
        with suppress(OSError):
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and time.time() - found.st_mtime > OLD_SECONDS:
                _delete_unowned(folder)


def _delete_unowned(folder: Path) -> None:
    """Raises OSError where a process has it, or where the file system has no locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
