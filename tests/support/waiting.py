"""Waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 1200.0
"""Seconds that a test waits for what will surely come, whatever else the machine does meanwhile: more than ten times what the
slowest command of any test takes. Whoever waits goes on at once when it comes, so a long time costs nothing."""


def wait_for(condition: Callable[[], Any]) -> None:
    """Return once the condition holds. Raises AssertionError where it does not within ``PATIENCE``."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"nothing happened in {PATIENCE:g} s"
        time.sleep(0.05)
