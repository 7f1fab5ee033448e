"""What is waited for, said again on standard error for as long as it lasts, so that no command is silent for long."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from bench.durations import duration
from bench.text.outside import behind_the_door, harmless
from bench.text.words import clean

FIRST_SECONDS = 10.0
"""How long a wait may last before it is spoken of."""

LONGEST_SECONDS = 320.0
"""Between two lines where there is no terminal; a log of a night shall stay short."""

_LIVE_SECONDS = 1.0
"""Between two looks of the one line that a terminal gets."""

_ERASE = "\r\x1b[2K"

_hushed: list[None] = []
"""One for each block under way in which nobody else may speak."""


@contextmanager
def hushed() -> Iterator[None]:
    """Say nothing of what is waited for within the block, because the user wants quiet or something else draws on the terminal."""
    _hushed.append(None)
    try:
        yield
    finally:
        _hushed.pop()


@contextmanager
def told(what: Callable[[], str]) -> Iterator[Callable[[], None]]:
    """Say what is waited for, and for how long already, while the block lasts. ``what`` is asked each time; "" says nothing.

    A terminal gets one line that is drawn anew every second and erased at the end. Elsewhere a line comes after 10 seconds, 20, 40 and so
    on. Where blocks are nested, only the outermost one prints. Yields a function to call before anything else is printed.
    """
    teller = _Teller(what)
    thread = threading.Thread(target=teller.run, daemon=True)
    if not _hushed:
        thread.start()
    try:
        with hushed():
            yield teller.erase
    finally:
        teller.ended.set()
        if thread.ident is not None:
            thread.join()
        teller.erase()


class _Teller:
    def __init__(self, what: Callable[[], str]) -> None:
        self.ended = threading.Event()
        self._what, self._begun = what, time.monotonic()
        self._drawn = False
        self._drawing = threading.Lock()

    def run(self) -> None:
        """Speak now and then, until the block has ended."""
        live = sys.stderr.isatty()
        for pause in pauses(live):
            if self.ended.wait(pause):
                return
            with suppress(OSError, ValueError):  # nobody reads standard error any more
                self._speak(live)

    def _speak(self, live: bool) -> None:
        text = self._what()
        if not text:
            return
        text = f"{clean(text, 600)}; {duration(time.monotonic() - self._begun)} so far"
        with self._drawing:
            if self.ended.is_set():
                return
            if live:
                width = shutil.get_terminal_size().columns - 1
                shown = text if len(text) <= width else f"{text[: width - 1]}…"
                terminal = behind_the_door(sys.stderr)
                terminal.write(_ERASE + harmless(shown))
                terminal.flush()
                self._drawn = True
            else:
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()

    def erase(self) -> None:
        """Take the line off the terminal, if it is there."""
        with self._drawing, suppress(OSError, ValueError):
            if self._drawn:
                terminal = behind_the_door(sys.stderr)
                terminal.write(_ERASE)
                terminal.flush()
                self._drawn = False


def pauses(live: bool) -> Iterator[float]:
    """Yield the seconds before each time that a wait is spoken of: on a terminal (``live``) the same from the second on, elsewhere such
    that the time waited doubles from line to line, up to a limit."""
    yield FIRST_SECONDS
    pause = _LIVE_SECONDS if live else FIRST_SECONDS
    while True:
        yield pause
        pause = pause if live else min(2 * pause, LONGEST_SECONDS)
