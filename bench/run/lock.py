"""A lock per processor, so that two runs on one host do not disturb each other."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from bench.errors import BusyError
from bench.files import held
from bench.record.damage import DAMAGE
from bench.run.folders import closed, lock_folder
from bench.run.privacy import private_command
from bench.run.scratch import sweep
from bench.text.waiting import told
from bench.text.words import clean

SETTING = "BENCH_LOCKS"


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, as it says itself in a note beside the lock."""

    process: int
    began: float  # when the process was started, in seconds since 1970
    since: float  # when it got the lock, the same
    command: str


@contextmanager
def locked(processors: Sequence[str], wait: bool) -> Iterator[None]:
    """Hold ``processors`` ("host", "gpu:0", …). Raises BusyError where another run does, unless ``wait``.

    The operating system lets go of the locks when this process ends, however it ends.
    """
    folder = lock_folder()
    with ExitStack() as stack:
        for processor in sorted(set(processors)):
            path = folder / f"{re.sub(r'[^A-Za-z0-9]', '-', processor)[:60]}.lock"
            try:
                mine = stack.enter_context(held(path, SETTING, wait=False))
            except PermissionError:
                raise closed(path) from None
            if not mine:
                if not wait:
                    raise BusyError(
                        f"another run is measuring on {processor}{_holder(path)}; two would disturb each other: use --wait to queue "
                        "behind it"
                    )
                what = partial(_awaited, path, processor)
                print(f"{what()} …", file=sys.stderr, flush=True)
                stack.enter_context(held_aloud(path, SETTING, what))
            stack.enter_context(_noted(path))
        sweep()
        yield


def _awaited(path: Path, processor: str) -> str:
    return f"bench: waiting for another run, which is measuring on {processor}{_holder(path)}"


@contextmanager
def held_aloud(path: Path, setting: str, what: Callable[[], str]) -> Iterator[None]:
    """Hold the lock file at ``path`` once whoever holds it lets go; say ``what`` is waited for, again and again.

    Raises UsageError, which names ``setting``, where the file system has no locks.
    """
    with ExitStack() as stack:
        with told(what):
            stack.enter_context(held(path, setting))
        yield


@contextmanager
def _noted(path: Path) -> Iterator[None]:
    """Leave word beside a lock of who holds it. A note that cannot be written is none: it ends no measurement."""
    note = path.with_suffix(".holder")
    command = " ".join(private_command([Path(sys.argv[0]).name, *sys.argv[1:]]))
    own = Holder(os.getpid(), _started(os.getpid()), time.time(), command)
    with suppress(OSError):
        note.unlink(missing_ok=True)
    # What another user has put there stays, and is never written to: it could be a link.
    with suppress(OSError), note.open("xb") as file:
        file.write(msgspec.json.encode(own))
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)


def _holder(path: Path) -> str:
    """Who holds the lock and since when, in words with a colon in front; nothing where no note tells, or one that a process left which
    has ended."""
    note = path.with_suffix(".holder")
    try:
        if not note.is_file():  # a pipe would never be read to its end
            return ""
        holder = msgspec.json.decode(note.read_bytes(), type=Holder)
        since = datetime.fromtimestamp(holder.since)
    except (OSError, OverflowError, *DAMAGE):
        return ""
    if abs(_started(holder.process) - holder.began) > _CLOCKS_DIFFER:
        return ""
    return f": process {holder.process}, '{clean(holder.command, 160)}', since {since:%Y-%m-%d %H:%M:%S}"


_CLOCKS_DIFFER = 5.0
"""Seconds by which two processes may disagree on when a third was started: the system tells it relative to its own start."""


def _started(process: int) -> float:
    """When a process was started, in seconds since 1970; far from any such time where there is none."""
    import psutil

    try:
        return float(psutil.Process(process).create_time())
    except (psutil.Error, OverflowError, ValueError):
        return float("-inf")
