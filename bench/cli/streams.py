"""Standard streams as a shell may hand them over: closed, a pipe whose reader leaves before the end, or a file on a full disk.

None of these says anything of the work: what was measured is kept, and the exit code stays the command's own. What is written goes through
the door that makes other people's words harmless (``bench.text.outside``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

from bench.text.outside import begins_line, harmless

Answer = TypeVar("Answer")


class Tolerant:
    """A text stream that goes on in silence once its reader has left, as ``head`` and ``true`` do.

    ``forgiving``: in silence too where the system refuses to write, as on a full disk.
    """

    def __init__(self, stream: TextIO, forgiving: bool = False) -> None:
        self._stream, self._forgiving = stream, forgiving
        self.lost: OSError | None = None
        """Why what is written reaches nobody any more."""

    def write(self, text: str) -> int:
        """Write as the stream does. Raises OSError for what is not forgiven."""
        return self._tried(lambda: self._stream.write(text), len(text))

    def flush(self) -> None:
        """Flush as the stream does. Raises OSError for what is not forgiven."""
        self._tried(self._stream.flush, None)

    def _tried(self, action: Callable[[], Answer], otherwise: Answer) -> Answer:
        try:
            return action()
        except OSError as error:
            if not (self._forgiving or isinstance(error, BrokenPipeError)):
                raise
            self.lost = self.lost or error
            leave(self._stream)
            return otherwise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Door:
    """A text stream through which nothing goes but text. ``behind`` is the stream without it."""

    def __init__(self, behind: Tolerant) -> None:
        self.behind = behind
        self._begins_line = True
        self.encoding: str = getattr(behind, "encoding", None) or "utf-8"
        if self.encoding.lower() in {"ascii", "us-ascii", "ansi_x3.4-1968"}:
            # click would write past this door, to the bytes beneath such a stream. What ASCII lacks becomes its escape.
            self.encoding = "utf-8"
            with suppress(AttributeError):
                behind.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write what ``harmless`` makes of the text."""
        self.behind.write(harmless(text, self._begins_line))
        self._begins_line = begins_line(text, self._begins_line)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


def leave(stream: TextIO) -> None:
    """Let what is still written to the stream, and what waits in its buffer, go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def tolerant_streams(measures: bool = False) -> Iterator[None]:
    """Run the body with streams that stand a reader's leaving, and let nothing but text through.

    A standard output that is closed stays None, as Python has it. ``measures``: the command measures, so that neither its work nor its
    exit code depends on whether its output can be written; that it could not is said on standard error. There nothing is ever in the way.
    """
    _occupy()
    before = sys.stdout, sys.stderr
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        output = None if sys.stdout is None else Tolerant(sys.stdout, forgiving=measures)
        if output is not None:
            sys.stdout = cast(TextIO, Door(output))
        # None would send what is meant for standard error to standard output: print() takes it for the default.
        sys.stderr = nowhere if sys.stderr is None else cast(TextIO, Door(Tolerant(sys.stderr, forgiving=True)))
        try:
            yield
        finally:
            if output is not None and output.lost is not None and not isinstance(output.lost, BrokenPipeError):
                print(f"bench: standard output could not be written: {output.lost.strerror}", file=sys.stderr, flush=True)
            sys.stdout, sys.stderr = before


def _occupy() -> None:
    """Open descriptors 0 to 2 where they are closed: the next file that is opened would be taken for a standard stream."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(descriptor, True)
