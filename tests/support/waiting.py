"""Waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from bench.run import process

PATIENCE = 1200.0
"""Seconds that a test waits for what will surely come, whatever else the machine does meanwhile: more than ten times what the
slowest command of any test takes. Whoever waits goes on at once when it comes, so a long time costs nothing."""


def wait_for(condition: Callable[[], Any]) -> None:
    """Return once the condition holds. Raises AssertionError where it does not within ``PATIENCE``."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"nothing happened in {PATIENCE:g} s"
        time.sleep(0.05)


def hurry_while_alive(monkeypatch: Any, marker: Path) -> None:
    """Minutes pass, by the clock that stalls are told by, while the process lives whose number stands in ``marker``, and at no other time."""
    ahead = 0.0

    def now() -> float:
        nonlocal ahead
        if not (marker.exists() and psutil.pid_exists(int(marker.read_text()))):
            return time.monotonic()  # what others measure stays possible
        ahead += 1000.0
        return time.monotonic() + ahead

    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=now))
