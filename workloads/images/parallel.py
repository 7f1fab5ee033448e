"""Work on many images across the cores this process may use. Pillow and NumPy let go of the GIL while they work."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray


def cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def by_pieces(
    make: Callable[[NDArray[np.int64]], NDArray[np.uint8]], indices: NDArray[np.int64], height: int, width: int, piece: int
) -> NDArray[np.uint8]:
    """Return images (n, height, width, 3) of ``indices`` (n,), which ``make`` gives for at most ``piece`` of them at a time."""
    images = np.empty((len(indices), height, width, 3), np.uint8)

    def work(part: slice) -> None:
        images[part] = make(indices[part])

    in_threads(work, len(indices), piece)
    return images


def in_threads(work: Callable[[slice], None], count: int, piece: int = 16) -> None:
    """Call ``work`` on consecutive slices of ``range(count)``, at most ``piece`` long, in any order.

    The error of the earliest slice that fails is raised; slices not yet begun are then dropped.
    """
    pieces = [slice(start, min(start + piece, count)) for start in range(0, count, piece)]
    threads = min(cores(), len(pieces))
    if threads < 2:
        for one in pieces:
            work(one)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="images") as pool:
        try:
            for _ in pool.map(work, pieces):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
