"""A worker's log: what it and the frameworks print, of which the middle is left out where it is too long.

The parent reads it from a pipe. A worker that prints as fast as it can fills neither the disk nor the memory: it waits for the parent.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from pathlib import Path
from typing import IO

HEAD = TAIL = 4 * 2**20
"""Bytes of a log that are kept at its beginning, and at its end; of the end twice as many at most."""

AT_A_TIME = 4 * 2**20
"""Bytes that are read at most before the parent looks after other things again."""

LOOK_SECONDS = 0.05
"""Seconds after which the parent looks whether a process has ended whose child still holds its log."""


class Log:
    """A log that is being written."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file cannot be written."""
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._head = HEAD
        self._tail = bytearray()
        self._left_out = 0
        self.ended = False
        """Whether nobody can write to it any more."""

    def fileno(self) -> int:
        """Return the descriptor that has something to read when the worker has printed, for a selector."""
        return self._reading

    def started(self) -> None:
        """The worker has the writing end now; here it is closed, so that its end is seen."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def take(self) -> None:
        """Take what has been printed, without waiting."""
        taken = 0
        while taken < AT_A_TIME and not self.ended:
            try:
                data = os.read(self._reading, 1 << 20)
            except BlockingIOError:
                return
            self.ended = not data
            self._keep(data)
            taken += len(data)

    def follow(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        """Take what a process prints until it ends, for so many seconds at most: it may wait for that."""
        deadline = time.monotonic() + seconds
        while process.poll() is None and (left := deadline - time.monotonic()) > 0:
            if self.ended:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(left)
            else:
                with selectors.DefaultSelector() as selector:
                    selector.register(self, selectors.EVENT_READ)
                    selector.select(min(left, LOOK_SECONDS))
                self.take()

    def close(self) -> None:
        """Take the last of it, of at most as much as a pipe holds, and write what was kept of its end."""
        self.started()
        self.take()
        os.close(self._reading)
        self.ended = True
        if self._left_out:
            self._write(f"\n[{self._left_out:,} bytes of this log are left out here]\n".encode())
        self._write(self._tail)
        with contextlib.suppress(OSError):
            self._file.close()

    def _keep(self, data: bytes) -> None:
        head, rest = data[: self._head], data[self._head :]
        self._head -= len(head)
        self._write(head)
        self._tail += rest
        if len(self._tail) > 2 * TAIL:  # so seldom that moving it costs little
            cut = len(self._tail) - TAIL
            self._left_out += cut
            del self._tail[:cut]

    def _write(self, data: bytes | bytearray) -> None:
        """A disk that is full, or a folder that has gone, costs the log and no measurement."""
        with contextlib.suppress(OSError):
            self._file.write(data)


def read_tail(log: Path, size: int) -> str:
    """The last ``size`` bytes of a log as text."""
    try:
        with log.open("rb") as file:
            return _last(file, size)
    except OSError:
        return ""


def _last(file: IO[bytes], size: int) -> str:
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - size))
    return file.read().decode(errors="replace").strip()
