"""Whether other processes keep this machine's cores busy."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.machine.host import ROOT, cpu_ticks

SHARE = 0.2
"""The share of one core below which work counts as the system's own housekeeping."""


class OtherWork:
    """Looks at what other processes have used since it was made, or since it was last asked."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._before = self._read()

    def busy(self) -> bool:
        """Return whether others used more than ``SHARE`` of a core; False where the system does not tell."""
        (busy, own, then), self._before = self._before, self._read()
        elapsed = self._before[2] - then
        if not busy or not self._before[0] or elapsed <= 0:
            return False
        return (self._before[0] - busy) - (self._before[1] - own) > SHARE * elapsed

    def _read(self) -> tuple[float, float, float]:
        """Seconds that all cores were busy or stolen since boot, that this process used, and the time."""
        ticks = cpu_ticks(self._root)
        busy = sum(ticks) - sum(ticks[3:5])  # without idle and iowait
        return busy / os.sysconf("SC_CLK_TCK"), time.process_time(), time.monotonic()
