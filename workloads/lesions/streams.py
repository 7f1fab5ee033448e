"""Random numbers by index: image i's are a fixed function of the seed and of i, whoever asks, and with whatever else.

Philox is a counter-based generator (Salmon et al. 2011), so any place of its stream is reached at once; NumPy promises the
raw stream for ever. The keys are those of ``bench.spec.weights.raw_words``.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_PER_COUNTER = 4  # 64-bit words Philox makes of one value of its counter


def words_by_index(label: str, indices: NDArray[np.int64], count: int) -> NDArray[np.uint64]:
    """``count`` random words of each index, (n, count): words ``i * count`` onwards of ``raw_words(label, …)``.

    Runs of neighbouring indices are drawn at once. ``count`` is a multiple of 4.
    """
    assert count % _PER_COUNTER == 0
    key = _key(label)
    unique, places = np.unique(indices, return_inverse=True)
    drawn = np.empty((len(unique), count), np.uint64)
    edges = [0, *(np.flatnonzero(np.diff(unique) != 1) + 1).tolist(), len(unique)]
    for start, stop in pairwise(edges):
        if start < stop:
            counter = int(unique[start]) * count // _PER_COUNTER
            raw = np.random.Philox(key=key, counter=counter).random_raw((stop - start) * count)
            drawn[start:stop] = raw.reshape(-1, count)
    return drawn[places.reshape(-1)]


def uniforms_by_index(label: str, indices: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """``count`` numbers on [0, 1) of each index, (n, count) float64: the upper 53 bits of ``words_by_index``."""
    return np.asarray((words_by_index(label, indices, count) >> np.uint64(11)) * 2.0**-53, np.float64)


def bytes_of(label: str, index: int, count: int) -> NDArray[np.uint8]:
    """``count`` random bytes of one index, (count,): the beginning of a stream of its own, 2**64 counters long."""
    raw = np.random.Philox(key=_key(label), counter=index << 64).random_raw(-(-count // 8))
    return raw.astype("<u8", copy=False).view(np.uint8)[:count]


def _key(label: str) -> int:
    return int.from_bytes(hashlib.sha256(label.encode()).digest()[:16], "little")
