"""Where things are kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bench.errors import UsageError


def cache_folder() -> Path:
    """Decoded images, synthetic files and ceilings: ``$BENCH_CACHE``, else ``$XDG_CACHE_HOME/accelbench``."""
    chosen = os.environ.get("BENCH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = (Path(chosen) if chosen else Path(base) / "accelbench").absolute()  # workers run elsewhere
    return made(folder, "cache")


def lock_folder() -> Path:
    """One place for all users of this host, so that their runs see each other's locks."""
    folder = Path(tempfile.gettempdir()) / "accelbench-locks"
    if not folder.exists():
        made(folder, "lock").chmod(0o1777)
    return folder


def fresh_log(name: str) -> Path:
    """A log of that name in the cache, empty: its tail must be the next worker's."""
    log = made(cache_folder() / "logs", "cache") / f"{name}.log"
    log.unlink(missing_ok=True)
    return log


def made(folder: Path, what: str) -> Path:
    """``folder``, created where missing. Raises UsageError where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write to the {what} folder {folder}: {error.strerror}; choose another one") from None
    return folder
