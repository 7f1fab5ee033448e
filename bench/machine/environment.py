"""The variables that every worker starts with.

They matter more than any statistics: with glibc's defaults a training step's big blocks are mapped and unmapped anew each
time, and cold pages arrive at a few GB/s. Raised thresholds keep them; ``hugetlb=1`` asks for transparent huge pages.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from bench.machine.host import framework_variables

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(2**40),
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def worker_environment(threads: int, backend: Mapping[str, str]) -> dict[str, str]:
    """What the harness sets, and the record keeps: threads, allocator, then the backend's own wishes."""
    chosen = dict.fromkeys(THREAD_VARIABLES, str(threads))
    if sys.platform == "linux":
        chosen |= ALLOCATOR
    return chosen | {"PYTHONHASHSEED": "0"} | dict(backend)


def overridden(chosen: Mapping[str, str], user: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the user's variables that frameworks read and that do not reach a worker, with the user's value and the worker's."""
    mine = framework_variables(user)
    return {name: (mine[name], value) for name, value in chosen.items() if mine.get(name, value) != value}


def inherited_environment() -> dict[str, str]:
    """The user's variables without those that would change what Python runs in the worker."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONSTARTUP", "PYTHONINSPECT")}
