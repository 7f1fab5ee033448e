"""Signals and time limits that end a run before its end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bench.errors import ExitCode


class Interrupted(KeyboardInterrupt):
    """A signal asked the run to end; ``code`` is the shell's convention for it, ``kept`` says what is left and how to go on."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code
        self.kept = ""


class TimeIsUpError(Interrupted):
    """The time that the user gave is over."""

    def __init__(self) -> None:
        super().__init__(int(ExitCode.SOME_FAILED))


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold signals that end a run back until the body is done, so that a record is sealed whole."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def interruptible(limit: float | None = None) -> Iterator[None]:
    """Raise Interrupted on Ctrl-C, SIGTERM and SIGHUP, and TimeIsUpError after ``limit`` seconds: workers end, the journal is kept."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted(128 + number)

    def time_is_up(number: int, frame: FrameType | None) -> None:
        raise TimeIsUpError

    handlers = dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), stop)
    if limit is not None:
        handlers[signal.SIGALRM] = time_is_up
    # What whoever started this had it ignore stays ignored: nohup, and a shell that starts it in the background.
    heeded = {number: handler for number, handler in handlers.items() if signal.getsignal(number) is not signal.SIG_IGN}
    before = {number: signal.signal(number, handler) for number, handler in heeded.items()}
    try:
        if limit is not None:
            signal.setitimer(signal.ITIMER_REAL, limit)
        yield
    finally:
        if limit is not None:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)
