"""What the user sees while a run goes on: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from bench.text.outside import behind_the_door, harmless
from bench.text.waiting import hushed, told
from bench.worker.channel import Beat, Stage


class Progress:
    """Counts finished workers, of ``total`` where it is known, or of so many ``at_least``; learns from them how long the rest will
    take."""

    def __init__(self, total: int | None, quiet: bool = False, at_least: bool = False) -> None:
        self._total, self._done, self._at_least = total, 0, at_least
        self._begun = time.monotonic()
        self._expected = 0.0  # seconds still to come, as the runner estimates
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._title = self._doing = ""
        self._drawing, self._waiting = ExitStack(), ExitStack()

    def __enter__(self) -> Progress:
        if self._quiet or sys.stderr.isatty():
            self._drawing.enter_context(hushed())  # or the bar tells
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            # Two wake-ups a second keep the parent's share of a core far below one per cent.
            console = Console(file=behind_the_door(sys.stderr))
            self._bar = Bar(*columns, TextColumn("{task.fields[left]}"), console=console, refresh_per_second=1)
            self._task = self._bar.add_task("", total=self._total, left="")
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._waiting.close()
        self._drawing.close()
        if self._bar is not None:
            self._bar.stop()

    def start(self, title: str, expected: float) -> None:
        """A worker starts; ``expected`` seconds of work remain, it included."""
        self._title, self._expected, self._doing = title, expected, ""
        self._waiting.close()
        if self._total is not None and self._at_least:
            self._total = max(self._total, self._done + 1)
        left = (
            f"{'at least' if self._at_least else 'about'} {_clock(expected)} left"
            if expected and self._total is not None
            else ""
        )
        if self._bar is not None:
            self._bar.update(self._task, total=self._total, description=harmless(title), left=left)
        elif not self._quiet:
            number = f"{self._done + 1}" + ("" if self._total is None else f"/{self._total}{'+' if self._at_least else ''}")
            print(f"[{number}] {title}{'; ' + left if left else ''}", file=sys.stderr, flush=True)
            self._waiting.enter_context(told(self._said))

    def _said(self) -> str:
        return f"{self._title}{f' ({self._doing})' if self._doing else ''}"

    def hear(self, event: Stage | Beat) -> None:
        """A worker said something."""
        text = event.name if isinstance(event, Stage) else event.text
        self._doing = text or self._doing
        if text and self._bar is not None:
            self._bar.update(self._task, description=harmless(f"{self._title} ({text})"))

    def finish(self, trouble: str = "", counts: bool = True) -> None:
        """The worker ended; ``trouble`` says how, unless well. One that the total does not foresee does not count."""
        self._done += counts
        self._waiting.close()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)
        if trouble:
            self.say(f"  {self._title}: {trouble}")

    def say(self, text: str) -> None:
        """A line for the user."""
        if self._bar is not None:
            self._bar.console.print(harmless(text), markup=False, highlight=False, emoji=False)
        elif not self._quiet:
            print(text, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
