"""Batches for timing: views into a prepared array, every batch a different one, at no cost per batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.spec import Weights
from bench.verify.batches import Batch

RESIDENT_BYTES = 2 * 2**30


class Feed:
    """Batches of ``batch_size`` consecutive images at starting points that do not repeat until all have been used.

    Overlapping batches are never equal, so a backend that remembers answers gains nothing.
    """

    def __init__(self, folder: Path, batch_size: int, seed: int) -> None:
        images, labels = load_arrays(folder)
        if len(labels) < 2 * batch_size:
            index = np.arange(2 * batch_size) % len(labels)
            images, labels = images[index], labels[index]
        self.images, self.labels = images, labels
        self.batch_size = batch_size
        self._rng = np.random.default_rng(seed)
        self._starts = self._shuffled()
        self._at = 0

    def _shuffled(self) -> NDArray[np.int64]:
        return self._rng.permutation(len(self.labels) - self.batch_size + 1)

    def next_start(self) -> int:
        """Where the next batch begins."""
        if self._at == len(self._starts):
            self._starts, self._at = self._shuffled(), 0
        self._at += 1
        return int(self._starts[self._at - 1])

    def batch(self, start: int) -> Batch:
        """The batch that begins at ``start``: views, not copies."""
        stop = start + self.batch_size
        return self.images[start:stop], self.labels[start:stop]

    def next(self) -> Batch:
        """The next batch."""
        return self.batch(self.next_start())


def load_arrays(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Images and labels that Prepare wrote: in memory when they fit comfortably, else mapped copy-on-write."""
    path = folder / "images.npy"
    mapped = path.stat().st_size > RESIDENT_BYTES
    images = np.load(path, mmap_mode="c" if mapped else None, allow_pickle=False)
    return images, np.load(folder / "labels.npy", allow_pickle=False)


def load_calibrated(folder: Path) -> Weights:
    """The weights that inference is measured with."""
    with np.load(folder / "calibrated.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
