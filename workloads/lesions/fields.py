"""Smooth random fields: coarse grids of random numbers, stretched by cubic B-splines.

No matrix product: BLAS libraries sum in orders of their own, and its threads cost more than they bring on planes this small.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]

_BORDER = 3  # grid points beyond the cells that a cubic B-spline leans on
# A stretched grid of uniform numbers on [-1, 1): sd sqrt(1/3) times the mean of the squared weights, 151/315 per axis.
_DEVIATION = (1 / 3) ** 0.5 * 151 / 315


def grid_bytes(cells: int) -> int:
    """How many random bytes a field of that many cells a side takes."""
    return (cells + _BORDER) ** 2


def field(raw: NDArray[np.uint8], cells: int, height: int, width: int) -> Planes:
    """Smooth fields (n, height, width) of mean 0 and standard deviation about 1, from bytes (n, grid_bytes(cells))."""
    points = cells + _BORDER
    grid = (raw.astype(np.float32) - np.float32(127.5)) * np.float32(1 / (128 * _DEVIATION))
    grid = grid.reshape(-1, points, points)
    columns, across = _taps(width, cells)
    wide = np.zeros((len(grid), points, width), np.float32)
    for tap in range(4):
        wide += np.take(grid, columns + tap, axis=2) * across[tap]
    rows, down = _taps(height, cells)
    stretched = np.take(wide, rows, axis=1)
    stretched *= down[0][:, None]
    for tap in range(1, 4):
        part = np.take(wide, rows + tap, axis=1)
        part *= down[tap][:, None]
        stretched += part
    return stretched


@lru_cache(maxsize=64)
def _taps(size: int, cells: int) -> tuple[NDArray[np.int64], Planes]:
    """First of the four grid points that each pixel leans on (size,), and their weights (4, size)."""
    position = (np.arange(size) + 0.5) * cells / size
    first = position.astype(np.int64)
    t = position - first
    weights = np.stack([(1 - t) ** 3, (3 * t - 6) * t * t + 4, ((3 - 3 * t) * t + 3) * t + 1, t * t * t]) / 6
    return first, weights.astype(np.float32)
