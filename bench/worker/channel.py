"""The worker's way to talk: JSON lines on a pipe of its own, so that frameworks may print what they like."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import msgspec

from bench.text.file_names import printable
from bench.text.words import said_by

HEARTBEAT_SECONDS = 0.5

AGAIN = b"again"
"""What a turn says where no other worker has had one in between."""

BRIEFLY, THOROUGHLY = b"briefly", b"thoroughly"
"""How to check what has been timed. A worker hears it when nothing will be timed any more, so that no plugin can know it before."""


class Stage(msgspec.Struct, tag="stage"):
    """The worker entered a stage."""

    name: str


class Beat(msgspec.Struct, tag="beat"):
    """Work goes on: ``done`` of ``total`` (0: unknown) in the present stage."""

    done: float
    total: float
    text: str = ""


class Alive(msgspec.Struct, tag="alive"):
    """Work goes on, and there is nothing to say of it. Listeners never hear of it."""


class Ready(msgspec.Struct, tag="ready"):
    """The worker waits for its turn: it works on when it gets a line on its standard input, empty or ``AGAIN``."""


class Timed(msgspec.Struct, tag="timed"):
    """Nothing more will be timed: the worker goes on when its standard input says how to check, ``BRIEFLY`` or ``THOROUGHLY``."""


class Failure(msgspec.Struct, tag="failure"):
    """The job ended in an exception."""

    kind: str  # "usage", "unsupported", "out of memory", "failed"
    message: str
    exit_code: int = 1


class Result(msgspec.Struct, tag="result"):
    """The job's answer."""

    value: msgspec.Raw


Event = Stage | Beat | Alive | Ready | Timed | Failure | Result


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says so, in whatever words: torch.OutOfMemoryError, XlaRuntimeError RESOURCE_EXHAUSTED, …"""
    words = f"{type(error).__name__} {said_by(error)}".lower()
    phrases = ("outofmemory", "out of memory", "resource_exhausted")
    return isinstance(error, MemoryError) or any(phrase in words for phrase in phrases)


class Channel:
    """The writing end, in the worker."""

    def __init__(self, descriptor: int, token: str = "") -> None:
        """``token``: what the parent knows the harness's own events by; it believes nothing else that comes through the pipe."""
        self._descriptor = descriptor
        # A new line first: what a plugin wrote there without an end is then a line of its own.
        self._before = f"\n{token}".encode() if token else b""
        self._last_beat = self._last_sign = 0.0
        self._writing = threading.Lock()
        self.turns: SimpleQueue[bool] = (
            SimpleQueue()
        )  # of each turn that the parent gives: whether another worker had the last
        self.how_to_check: SimpleQueue[bytes] = SimpleQueue()

    def send(self, event: Event) -> None:
        """Write one event; a parent that has gone is not the job's concern (the watchdog ends the process)."""
        data = memoryview(self._before + _encoded(event) + b"\n")
        try:
            with self._writing:
                while data:
                    data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError:
            os._exit(1)

    def stage(self, name: str) -> None:
        """Enter a stage."""
        self.send(Stage(name))

    def beat(self, done: float, total: float = 0.0, text: str = "") -> None:
        """Say how far the work is, at most twice a second unless there is a text."""
        now = time.monotonic()
        if text or now - self._last_beat >= HEARTBEAT_SECONDS:
            self._last_beat = now
            self.send(Beat(done, total, text))

    def alive(self) -> None:
        """Say that work goes on, at most twice a second."""
        now = time.monotonic()
        if now - self._last_sign >= HEARTBEAT_SECONDS:
            self._last_sign = now
            self.send(Alive())

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Give signs of life while the harness works on its own: the oracle is silent, and takes minutes on a slow machine.

        Never call a plugin inside: one that hangs would then seem to work.
        """
        done = threading.Event()

        def go_on() -> None:
            while not done.wait(HEARTBEAT_SECONDS):
                self.alive()

        thread = threading.Thread(target=go_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def turn(self) -> bool:
        """Wait for a turn: of several workers that are alive, one works at a time. Return whether another one worked meanwhile."""
        self.send(Ready())
        return self.turns.get()

    def asked_how_to_check(self) -> bytes:
        """Ask the parent how to check, and return what it says."""
        self.send(Timed())
        return self.how_to_check.get()

    def result(self, value: Any) -> None:
        """Answer the job."""
        self.send(Result(msgspec.Raw(_encoded(value))))


def _encoded(value: Any) -> bytes:
    """The value as JSON; bytes of file names that are not UTF-8 become escapes."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_printable(msgspec.to_builtins(value)))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {_printable(name): _printable(item) for name, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list | tuple) else value
