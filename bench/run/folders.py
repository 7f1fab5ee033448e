"""Where things are kept."""

from __future__ import annotations

import hmac
import os
import pwd
import re
import secrets
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from bench.errors import UsageError
from bench.text.file_names import refuse_other_bytes

LOCKS = Path("/tmp/accelbench-locks")
"""The same for all users of a machine, whatever their TMPDIR: two runs that do not see each other's locks measure at once."""

OPEN_TO_ALL = 0o1777


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
    """Return the place where all users of this machine see each other's locks: ``$BENCH_LOCKS``, else one that no TMPDIR moves.

    Raises UsageError where it is another user's and closed to this one. Where there is no such place, the folder for temporary files is
    taken, and that is said.
    """
    chosen = os.environ.get("BENCH_LOCKS")
    if chosen:
        folder = Path(chosen).absolute()
        return folder if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) else _for_all_users(folder, parents=True)
    try:
        return _for_all_users(LOCKS)
    except OSError as error:
        other = Path(tempfile.gettempdir()) / LOCKS.name
        print(
            f"bench: locks lie in {other}, since {LOCKS} cannot be made ({error.strerror}); runs with another TMPDIR, or of other users, "
            "do not see them: name one folder for all users of this machine with BENCH_LOCKS",
            file=sys.stderr,
        )
        return _for_all_users(other)


def _for_all_users(folder: Path, parents: bool = False) -> Path:
    """The folder, made where it is missing. Raises OSError where it cannot be made, UsageError where it is of no use to this user."""
    with suppress(FileExistsError):
        folder.mkdir(parents=parents)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) != OPEN_TO_ALL:
        folder.chmod(OPEN_TO_ALL)  # new, or left by a run that was killed between the two
    if not stat.S_ISDIR(found.st_mode) or not os.access(folder, os.W_OK | os.X_OK):
        raise closed(folder)
    return folder


def closed(place: Path) -> UsageError:
    """The error for a folder of locks, or a lock in it, that another user has closed to this one, with its owner and the remedy."""
    owner = place.lstat().st_uid
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    remedy = "'chmod 1777' opens a folder and 'chmod 666' a lock" if place.is_dir() or place.is_file() else "remove it"
    return UsageError(
        f"{place} keeps runs out of each other's way, belongs to the user {name} and is closed to you; its owner or root can mend that "
        f"({remedy}), or name another folder for all users of this machine with BENCH_LOCKS"
    )


KEY = "salt.key"
"""The file of the cache that the salts of results folders come from."""


def salt_of(results: Path) -> str:
    """Return the salt of a results folder, with which its records hash names of hosts and folders. Raises UsageError as ``cache_folder`` does.

    Within a folder these can be told apart; nobody else can try likely names. It comes from a random key in the user's cache. No file of the
    folder holds it, so it does not travel with the folder. Raises UsageError where the key cannot be read or kept: another one each time would
    make one host look like many.
    """
    place = cache_folder() / KEY
    try:
        key = _key_at(place)
        if key is None:
            _keep_new_key(place)
            key = _key_at(place)
    except OSError as error:
        raise UsageError(
            f"cannot keep the key of hashed names in {place}: {error.strerror}; name another cache folder with BENCH_CACHE"
        ) from None
    if key is None:
        raise UsageError(
            f"the key of hashed names in {place} does not last there; name another cache folder with BENCH_CACHE"
        )
    return hmac.new(key, os.fsencode(results.resolve()), "sha256").hexdigest()[:32]


def _keep_new_key(place: Path) -> None:
    """Put a random key there that only this user can read. Where another process has just done so, its key stays. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f"{KEY}.", suffix=".part", dir=place.parent)  # by O_EXCL, of mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"{secrets.token_hex(32)}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        if place.is_file():  # it is damaged
            temporary.replace(place)
        else:
            _take_place(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)


def _take_place(temporary: Path, place: Path) -> None:
    """Put the file at ``place`` too, whole, unless there is one. Raises OSError."""
    with suppress(FileExistsError):
        try:
            place.hardlink_to(temporary)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(temporary.read_bytes())


def _key_at(place: Path) -> bytes | None:
    """Return the key; None where there is none, or a damaged one. Raises OSError where it cannot be read."""
    try:
        found = place.read_bytes().strip()
    except FileNotFoundError:
        return None
    return bytes.fromhex(found.decode()) if re.fullmatch(rb"[0-9a-f]{64}", found) else None


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
