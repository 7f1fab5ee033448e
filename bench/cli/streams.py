"""Standard streams as a shell may hand them over: closed, or a pipe whose reader leaves before the end.

Neither says anything of the work: what was measured is kept, and the exit code stays the command's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast


class Tolerant:
    """A text stream that goes on in silence once its reader has left, as ``head`` and ``true`` do."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as the stream does. Raises OSError for everything but a reader that has left."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            leave(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush as the stream does. Raises OSError for everything but a reader that has left."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            leave(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def leave(stream: TextIO) -> None:
    """Let what is still written to the stream, and what waits in its buffer, go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def tolerant_streams() -> Iterator[None]:
    """Run the body with streams that stand a reader's leaving. A standard output that is closed stays None, as Python has it."""
    _occupy()
    before = sys.stdout, sys.stderr
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        if sys.stdout is not None:
            sys.stdout = cast(TextIO, Tolerant(sys.stdout))
        # None would send what is meant for standard error to standard output: print() takes it for the default.
        sys.stderr = nowhere if sys.stderr is None else cast(TextIO, Tolerant(sys.stderr))
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def _occupy() -> None:
    """Open descriptors 0 to 2 where they are closed: the next file that is opened would be taken for a standard stream."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(descriptor, True)
