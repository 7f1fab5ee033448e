"""Batches for timing: views into a prepared array, every batch a different one, at no cost per batch; or decoded from image files on
the way, at the cost that is to be measured."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.contract import DataReader, Workload
from bench.spec import Weights
from bench.verify.batches import Batch

RESIDENT_BYTES = 2 * 2**30
FILES = "files.json"  # in the prepared folder: the image files to decode
BATCHES_AHEAD = 4


class Batches(Protocol):
    """Where a trainer's batches come from."""

    def next(self) -> Batch:
        """The next batch; its arrays stay as they are."""
        ...


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


class FileFeed:
    """Batches decoded from image files, in an order drawn anew whenever all have been seen; labels count up, for they do not
    matter to speed.

    ``ahead``: threads decode following batches while the device works. Where the device is the host's processor the two would
    only get in each other's way, so there they take turns: every core decodes, then every core trains.
    """

    def __init__(self, folder: Path, workload: Workload, batch_size: int, seed: int, threads: int, ahead: bool) -> None:
        assert workload.data is not None  # Prepare has refused such a workload
        self._reader: DataReader = workload.data
        self._size = workload.network.height, workload.network.width
        self._labels = (np.arange(batch_size) % workload.network.classes).astype(np.int32)
        self._files = image_files(folder)
        self._order = self._shuffled(np.random.default_rng(seed))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._threads = threads
        self._waiting: deque[tuple[NDArray[np.uint8], list[Future[None]]]] = deque()
        self._ahead = BATCHES_AHEAD if ahead else 0

    def next(self) -> Batch:
        """The next batch, decoded."""
        while len(self._waiting) <= self._ahead:
            self._waiting.append(self._begin())
        images, pieces = self._waiting.popleft()
        for piece in pieces:
            piece.result()
        return images, self._labels

    def _begin(self) -> tuple[NDArray[np.uint8], list[Future[None]]]:
        count = len(self._labels)
        images = np.empty((count, *self._size, 3), np.uint8)
        files = [next(self._order) for _ in range(count)]

        def decode(places: range) -> None:
            for place in places:
                images[place] = self._reader.decode(files[place], *self._size)[0]

        return images, [self._pool.submit(decode, range(first, count, self._threads)) for first in range(self._threads)]

    def _shuffled(self, rng: np.random.Generator) -> Iterator[Path]:
        while True:
            for index in rng.permutation(len(self._files)):
                yield self._files[index]


def image_files(folder: Path) -> list[Path]:
    """The files that Prepare found."""
    return [Path(name) for name in json.loads((folder / FILES).read_text())]


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
