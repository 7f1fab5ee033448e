"""An epoch's batches in a fresh order, each image changed at random: on the host, from seeded streams, so that every backend
sees the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bench.contract import Recipe
from bench.verify.batches import Batch

Images = NDArray[np.uint8]
TIMED_BATCHES, LONGEST = 20, 1.0
"""Batches that are timed, and the seconds after which no other one is begun."""


def epoch_batches(
    data: Batch, chosen: NDArray[np.int64], batch_size: int, recipe: Recipe, seed: int, epoch: int
) -> Iterator[Batch]:
    """One epoch over the images ``chosen`` (n,) of ``data``, in full batches; the partial one is dropped."""
    images, labels = data
    rng = np.random.default_rng([seed, epoch])
    order = chosen[rng.permutation(len(chosen))]
    for start in range(0, len(order) - batch_size + 1, batch_size):
        index = order[start : start + batch_size]
        batch = images[index]
        if recipe.flips:
            flip(batch, rng)
        if recipe.shift:
            batch = shifted(batch, recipe.shift, rng)
        yield batch, labels[index]


def seconds_per_batch(data: Batch, batch_size: int, recipe: Recipe, seed: int) -> float:
    """Return the median seconds that the host takes to draw a batch from ``data`` and change its images; there must be a batch's worth."""
    taken: list[float] = []
    batches = epoch_batches(data, np.arange(len(data[1])), batch_size, recipe, seed, 0)
    started = perf_counter()
    for _ in islice(batches, TIMED_BATCHES):
        taken.append(perf_counter() - started - sum(taken))
        if sum(taken) > LONGEST:
            break
    return median(taken)


def flip(batch: Images, rng: np.random.Generator) -> None:
    """Each image (height, width, 3) as it is, mirrored, turned by quarters, or both, in place; oblong ones are only mirrored."""
    turns = rng.integers(0, 8, len(batch))
    for turn in range(1, 8):
        at = np.flatnonzero(turns == turn)
        flipped = batch[at][:, :, ::-1] if turn & 4 else batch[at]
        batch[at] = np.rot90(flipped, turn & 3, axes=(1, 2)) if batch.shape[1] == batch.shape[2] else flipped


def shifted(batch: Images, most: int, rng: np.random.Generator) -> Images:
    """Each image moved by up to ``most`` pixels either way; what enters is mirrored at the edge."""
    count, height, width, _ = batch.shape
    padded = np.pad(batch, ((0, 0), (most, most), (most, most), (0, 0)), mode="reflect")
    down, right = rng.integers(0, 2 * most + 1, (2, count))
    rows = np.arange(height) + down[:, None]
    columns = np.arange(width) + right[:, None]
    moved: Images = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved
