"""Whether other processes keep this machine's cores busy."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from bench.machine.host import ROOT, cpu_ticks

SHARE = 0.2
"""The share of one core below which work counts as the system's own housekeeping."""


class OtherWork:
    """Looks at what other processes have used since it was made, or since it was last asked."""

    def __init__(self, root: Path = ROOT, own: Callable[[], float] | None = None) -> None:
        """``own`` tells the seconds that those processes have used which are no others: by default this one."""
        self._root, self._own = root, own
        self._before = self._read()

    def busy(self) -> bool:
        """Return whether others used more than ``SHARE`` of a core; False where the system does not tell."""
        return self.cores() > SHARE

    def cores(self) -> float:
        """Return how many cores others used on average; 0 where the system does not tell."""
        (busy, own, then), self._before = self._before, self._read()
        elapsed = self._before[2] - then
        if not busy or not self._before[0] or elapsed <= 0:
            return 0.0
        return max(0.0, (self._before[0] - busy) - (self._before[1] - own)) / elapsed

    def _read(self) -> tuple[float, float, float]:
        """Seconds that all cores were busy or stolen since boot, that the own processes used, and the time."""
        ticks = cpu_ticks(self._root)
        busy = sum(ticks) - sum(ticks[3:5])  # without idle and iowait
        return busy / os.sysconf("SC_CLK_TCK"), (self._own or time.process_time)(), time.monotonic()


def family_seconds() -> float:
    """Return the seconds of CPU that this process and its descendants have used, those that it has waited for included."""
    import psutil

    total = 0.0
    own = psutil.Process()
    for process in [own, *own.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):  # it has just ended
            total += sum(process.cpu_times()[:4])  # user and system, own and children's
    return total
