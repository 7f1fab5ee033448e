"""Batches for timing: views into a prepared array, every image a different one, at no cost per batch; or decoded from image files on
the way, at the cost that is to be measured."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.contract import DataReader, Workload
from bench.errors import DataError
from bench.spec import Weights
from bench.verify.batches import Batch
from bench.verify.unforeseen import shifted
from bench.worker.kept import CALIBRATED, IMAGES, LABELS, SPLIT, readable

RESIDENT_BYTES = 2 * 2**30
FILES = "files.json"  # in the prepared folder: the image files to decode
BATCHES_AHEAD = 4


class Batches(Protocol):
    """Where a trainer's batches come from."""

    def next(self) -> Batch:
        """The next batch; its arrays stay as they are."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a batch begins: in which turn of the feed's colours, and at which pixel of its images."""

    turn: int
    pixel: int


class Feed:
    """Batches of images that never come again, at no cost for each batch.

    A batch is a view of ``batch_size`` images' worth of pixels, and begins at any pixel of any image: a window into the row of all
    images. One pass over the images takes one such offset and cuts them into batches without overlap, in random order; the next
    pass takes another offset. The first takes none, so that its images are those of the data. After all offsets, which are as many
    as an image has pixels, every image changes its colours (exclusive or with three random bytes) in a new array, since the old one
    may be in flight. That costs about a nanosecond for each image that the new array gives.

    A backend that remembers answers therefore gains nothing. ``image`` says what was in a batch of an earlier turn.
    """

    def __init__(self, source: Path | Batch, batch_size: int, seed: int) -> None:
        """``source``: the folder that Prepare filled, or images (n, height, width, 3) and labels (n,)."""
        images, labels = load_arrays(source) if isinstance(source, Path) else source
        self._rng = np.random.default_rng(seed)
        if len(labels) < 2 * batch_size:  # some are needed several times, each time rolled and coloured differently
            images, count = shifted(images, 2 * batch_size, self._rng), len(labels)
            labels = labels[np.arange(2 * batch_size) % count]
        self.labels = labels
        self.batch_size = batch_size
        self._shape = images.shape[1:]
        self._pixels = images.shape[1] * images.shape[2]  # of one image
        self._row = images.reshape(-1, images.shape[3])  # all pixels, in the colours of this turn
        self._colours = np.zeros((1, images.shape[3]), np.uint8)  # of each turn so far
        self._places = self._draw()

    def _draw(self) -> Iterator[Place]:
        batch = self.batch_size * self._pixels
        while True:
            for offset in (0, *(1 + self._rng.permutation(self._pixels - 1))):
                for number in self._rng.permutation((len(self._row) - int(offset)) // batch):
                    yield Place(len(self._colours) - 1, int(offset) + batch * int(number))
            self._change_colours()

    def _change_colours(self) -> None:
        colours = self._colours[-1]
        while (self._colours == colours).all(axis=1).any():
            colours = self._rng.integers(0, 256, colours.shape, np.uint8)
        # Long rows, for an exclusive or over three bytes at a time is slow.
        change = np.tile(self._colours[-1] ^ colours, self._pixels)
        self._row = (self._row.reshape(-1, len(change)) ^ change).reshape(self._row.shape)
        self._colours = np.concatenate([self._colours, colours[None]])

    def everything(self) -> Batch:
        """All images (n, height, width, 3) in their present colours, a view, and their labels (n,)."""
        return self._row.reshape(-1, *self._shape), self.labels

    def next_place(self) -> Place:
        """Where the next batch begins."""
        return next(self._places)

    def batch(self, place: Place) -> Batch:
        """The batch that begins there, in the present turn: views, not copies. A label is that of the image in which its own begins."""
        first = place.pixel // self._pixels
        pixels = self._row[place.pixel : place.pixel + self.batch_size * self._pixels]
        return pixels.reshape(self.batch_size, *self._shape), self.labels[first : first + self.batch_size]

    def image(self, place: Place, number: int) -> NDArray[np.uint8]:
        """Return one image (height, width, 3) of a batch of this turn or of an earlier one."""
        first = place.pixel + number * self._pixels
        pixels = self._row[first : first + self._pixels] ^ self._colours[-1] ^ self._colours[place.turn]
        return np.asarray(pixels.reshape(self._shape))

    def next(self) -> Batch:
        """The next batch."""
        return self.batch(self.next_place())


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
    """Return the files that Prepare found, at least one. Raises DataError where it has found none, or the cache was cleared since."""
    listed = folder / FILES
    try:
        files = [Path(name) for name in json.loads(listed.read_text())]
    except (OSError, ValueError, TypeError):
        files = []
    if not files:
        raise DataError("the cache lists no image files to decode; a new run finds them again")
    return files


def load_arrays(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Images and labels that Prepare wrote: in memory when they fit comfortably, else mapped copy-on-write.

    Raises DataError where they cannot be read.
    """
    with readable(folder):
        path = folder / IMAGES
        mapped = path.stat().st_size > RESIDENT_BYTES
        images = np.load(path, mmap_mode="c" if mapped else None, allow_pickle=False)
        return images, np.load(folder / LABELS, allow_pickle=False)


def load_split(folder: Path) -> NDArray[np.uint8]:
    """Which part each image belongs to, in the order of ``load_arrays``. Raises DataError as that does."""
    with readable(folder):
        split: NDArray[np.uint8] = np.load(folder / SPLIT, allow_pickle=False)
        return split


def load_calibrated(folder: Path) -> Weights:
    """The weights that inference is measured with. Raises DataError where they cannot be read."""
    # Opened here: where the file is damaged, NumPy would leave it open.
    with readable(folder), (folder / CALIBRATED).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
