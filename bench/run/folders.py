"""Where things are kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bench.errors import UsageError
from bench.text.file_names import refuse_other_bytes


def cache_folder() -> Path:
    """Decoded images, synthetic files and ceilings: ``$BENCH_CACHE``, else ``$XDG_CACHE_HOME/accelbench``.

    Raises UsageError where it cannot be written, or where neither is set and the user has no home folder.
    """
    place = cache_place()
    refuse_other_bytes(str(place), "the cache folder")
    return made(place, "cache", "BENCH_CACHE")


def cache_place() -> Path:
    """Return where the cache is, or would be. Raises UsageError where nothing tells."""
    chosen, base = os.environ.get("BENCH_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if chosen:
        return Path(chosen).absolute()  # workers run elsewhere
    home = None if base else home_folder()
    if not base and home is None:
        raise UsageError(
            "there is no home folder to keep the cache in: HOME is not set, and the user has no entry in the password file; name a "
            "folder with BENCH_CACHE"
        )
    return (Path(base) if base else Path(str(home)) / ".cache").absolute() / "accelbench"


def home_folder() -> Path | None:
    """Return the user's home folder; None without HOME and without an entry in the password file, as in many containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def lock_folder() -> Path:
    """One place for all users of this host, so that their runs see each other's locks."""
    folder = Path(tempfile.gettempdir()) / "accelbench-locks"
    if not folder.exists():
        made(folder, "lock", "TMPDIR").chmod(0o1777)
    return folder


def fresh_log(name: str) -> Path:
    """A log of that name in the cache, empty: its tail must be the next worker's."""
    log = made(cache_folder() / "logs", "cache", "BENCH_CACHE") / f"{name}.log"
    log.unlink(missing_ok=True)
    return log


def check_makeable(folder: Path, what: str, setting: str) -> None:
    """Raises UsageError as ``made`` does, and makes nothing: for what is refused before minutes of work."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        why = f"{there} is not writable" if there.is_dir() else f"{there} is no folder"
        raise UsageError(f"cannot write to the {what} folder {folder}: {why}; name another one with {setting}")


def made(folder: Path, what: str, setting: str) -> Path:
    """``folder``, created where missing; ``setting``: what names another one. Raises UsageError where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write to the {what} folder {folder}: {error.strerror}; name another one with {setting}"
        ) from None
    return folder
