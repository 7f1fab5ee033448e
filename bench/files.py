"""Writing files that are there either whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import UsageError


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """A new file beside ``output``, to be written; it takes that place at the end, or is gone where anything went wrong.

    A link stays one, and an existing file's permissions stay. A device or a pipe is itself written to. Raises UsageError for what
    the system refuses.
    """
    temporary: Path | None = None
    try:
        if is_special(output):
            yield output
            return
        target = output.resolve()
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:40]}-", dir=target.parent)
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~umask())
        temporary.replace(target)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


LACKS_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def held(path: Path, setting: str, wait: bool = True) -> Iterator[bool]:
    """Hold the lock file at ``path`` and yield True; without ``wait`` yield False where another process holds it.

    The operating system lets go of it when this process ends, however it ends. Raises UsageError, which names the place and
    ``setting``, the variable that names another one, where the file system has no locks. Newer versions of filelock then hold the place
    by a file that names its process, and that is said.
    """
    from filelock import FileLock, Timeout

    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            lock = FileLock(path, timeout=-1 if wait else 0, mode=0o666).acquire()
    except Timeout:
        yield False
        return
    except (NotImplementedError, OSError) as error:
        if not isinstance(error, NotImplementedError) and error.errno not in LACKS_LOCKS:
            raise
        raise UsageError(
            f"the file system of {path.parent} has no locks, by which runs keep out of each other's way; name a folder on a local disk "
            f"with {setting}"
        ) from None
    if told:
        print(
            f"bench: the file system of {path.parent} has no locks; a file that names its process is held instead",
            file=sys.stderr,
        )
    with lock:
        yield True


def is_special(output: Path) -> bool:
    """A device or a pipe: it is written to, not replaced."""
    return output.exists() and not output.is_file()


def umask() -> int:
    """Return the permissions that files of this process do not get."""
    found = os.umask(0o022)
    os.umask(found)
    return found
