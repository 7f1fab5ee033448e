"""Images and labels made up on the spot, which nobody can have seen before."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import numpy as np

from bench.contract import Workload
from bench.spec.counts import training_elements
from bench.verify.batches import Batch, Images, Labels, base_size
from bench.verify.golden import steps_and_images

AFFORDABLE_ELEMENTS = 40_000_000
"""Activations that the oracle reads and writes in one step, about a second on one core."""

BRIEF_IMAGES = 4
"""Different images of a batch where a trial is checked briefly; the oracle's time goes with their number."""

FREQUENT = 0.7
"""The share of a half's labels that are of its own class; the others are drawn from all classes."""


@dataclass(frozen=True)
class Unforeseen:
    """A batch nobody can have seen before."""

    images: Images  # (few, height, width, 3)
    labels: Labels  # (batch,): copy j of image i has label j * few + i
    fed: Batch  # all the copies, in random order

    @property
    def few(self) -> Batch:
        """What the oracle needs."""
        return self.images, self.labels


def different_images(workload: Workload, batch_size: int, brief: bool = False) -> int:
    """How many different images an unforeseen batch has: all, where the oracle can afford a step on them, since a device may notice that
    images repeat; else as many as a golden batch, or a divisor. Where the check is ``brief``, ``BRIEF_IMAGES`` or a divisor."""
    if brief:
        return base_size(batch_size, BRIEF_IMAGES)
    if batch_size * training_elements(workload.network) <= AFFORDABLE_ELEMENTS:
        return batch_size
    return base_size(batch_size, steps_and_images(workload)[1])


def unforeseen_batch(workload: Workload, batch_size: int, rng: np.random.Generator, brief: bool = False) -> Unforeseen:
    """Copies of a few unforeseen images in random order, each with a label of its own.

    One class is frequent in the first half of the batch and another in the second: the gradient of one half is far from that of all.
    """
    images = unforeseen_images(workload, different_images(workload, batch_size, brief), rng)
    classes = workload.network.classes
    fed = rng.integers(0, classes, batch_size).astype(np.int32)
    frequent = np.repeat(rng.permutation(classes)[[0, -1]], [batch_size // 2, batch_size - batch_size // 2])
    fed = np.where(rng.random(batch_size) < FREQUENT, frequent, fed).astype(np.int32)
    order = rng.permutation(batch_size)
    labels = np.empty_like(fed)
    labels[order] = fed
    return Unforeseen(images, labels, (images[order % len(images)], fed))


def unforeseen_images(workload: Workload, count: int, rng: np.random.Generator) -> Images:
    """Blobs of random colour, size and place with grain."""
    network = workload.network
    y, x = np.mgrid[0 : network.height, 0 : network.width].astype(np.float32)
    centre = rng.uniform(0.2, 0.8, (count, 2)).astype(np.float32) * (network.height, network.width)
    radius = rng.uniform(0.1, 0.4, (count, 1, 1)).astype(np.float32) * network.height
    distance = (y - centre[:, :1, None]) ** 2 + (x - centre[:, 1:, None]) ** 2
    inside = np.exp(-distance / radius**2)[..., None]
    skin, lesion = rng.uniform(0, 255, (2, count, 1, 1, 3)).astype(np.float32)
    grain = rng.normal(0, 12, (count, network.height, network.width, 3)).astype(np.float32)
    return np.asarray(np.clip(skin + (lesion - skin) * inside + grain, 0, 255), np.uint8)


def unforeseeable() -> np.random.Generator:
    """Return a random generator whose seed nobody knows."""
    return np.random.default_rng(secrets.randbits(128))


def shifted(images: Images, count: int, rng: np.random.Generator) -> Images:
    """``count`` different images at next to no cost: the few, rolled by random distances and with some bits of their colours
    turned over."""
    height, width = images.shape[1:3]
    copies = -(-count // len(images))
    shifts = zip(rng.integers(0, height, copies), rng.integers(0, width, copies), strict=True)
    # Other colours too, lest a device that remembers images meets a small one again.
    colours = rng.integers(0, 256, (copies, 3), dtype=np.uint8)
    return np.concatenate([np.roll(images, shift, (1, 2)) ^ colour for shift, colour in zip(shifts, colours, strict=True)])[
        :count
    ]
