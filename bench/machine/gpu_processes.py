"""Tell the benchmark's own processes on a GPU from those of others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.machine.parent import parent


class Others(NamedTuple):
    """Processes of others on one GPU."""

    processes: int
    memory: int | None  # bytes of the GPU's memory that they use; None where the driver does not say


class Family:
    """The processes of this benchmark: this one, its parent, and every process that descends from that parent."""

    def __init__(self) -> None:
        self._eldest = {os.getpid(), parent()}
        self._known = dict.fromkeys(self._eldest, True)

    def __contains__(self, pid: int) -> bool:
        if pid not in self._known:
            self._known[pid] = self._descends(pid)
        return self._known[pid]

    def _descends(self, pid: int) -> bool:
        import psutil

        try:
            return any(elder.pid in self._eldest for elder in psutil.Process(pid).parents())
        except psutil.Error:  # it has ended, or belongs to somebody whose processes are hidden
            return False


def others(processes: Sequence[Any], family: Family) -> Others | None:
    """Return who else is in NVML's list of a GPU that this process works on; None where that cannot be told.

    In a container the list may leave out processes, or hold the host's process numbers. Where no process of ``family`` is in it, its
    numbers mean nothing here, and nobody is counted. The server of CUDA's multi-process service counts as a process of its own.
    """
    strangers = [process for process in processes if process.pid not in family]
    if len(strangers) == len(processes):
        return None
    used = [process.usedGpuMemory for process in strangers]
    memory = None if any(one is None for one in used) else sum(used)
    return Others(len({process.pid for process in strangers}), memory)
