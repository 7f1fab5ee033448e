"""What a worker says, as it comes through its pipe: bounded, cut into lines, and believed only where a line bears the job's token.

A plugin shares the worker's process and may write to any descriptor. Its words are dropped here, and cost the parent next to nothing.
"""

from __future__ import annotations

from collections import deque

import msgspec

from bench.record.damage import DAMAGE
from bench.text.words import sayable
from bench.worker.channel import Event, Failure

LONGEST = 64 * 2**20
"""Bytes of the longest event. The largest is a result, which holds all samples of a trial."""

MOST = 4 * LONGEST
"""Bytes of all that comes through one worker's pipe. The harness itself says a few bytes twice a second, and one result."""


class Events:
    """The events of one worker, in the order in which they came."""

    def __init__(self, token: str) -> None:
        """``token``: what each event of the worker begins with; empty where none does."""
        self._token = token.encode()
        self._whole: deque[bytes] = deque()
        self._rest = bytearray()
        self._bytes = 0
        self.fault = ""
        """Why nothing more is taken from this worker; empty while all is well."""

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self._bytes += len(data)
        head, newline, tail = data.rpartition(b"\n")
        if newline:
            lines = (self._rest + head).split(b"\n")
            self._whole.extend(bytes(line) for line in lines if line and line.startswith(self._token))
            self._rest = bytearray(tail)
        else:
            self._rest += data
        beginning = self._rest[: len(self._token)]
        if not self._token.startswith(beginning):  # never an event, however it goes on
            self._rest = beginning
        if len(self._rest) > LONGEST or self._bytes > MOST:
            what = f"an event of more than {LONGEST >> 20}" if len(self._rest) > LONGEST else f"more than {MOST >> 20}"
            self.fault = f"the worker's pipe got {what} MiB; only the harness may write there"

    def next(self) -> Event | None:
        """Return the next event that has come whole; None where there is none."""
        while self._whole:
            event = _decoded(self._whole.popleft()[len(self._token) :])
            if event is not None:
                return event
        return None


def _decoded(line: bytes) -> Event | None:
    """Return the event; None for what is none, of which the exit code will tell."""
    try:
        event: Event = msgspec.json.decode(line, type=Event)
    except DAMAGE:
        return None
    return msgspec.structs.replace(event, message=sayable(event.message)) if isinstance(event, Failure) else event
