"""Batches to prove things on: exact on every machine, and any size of batch from a few images.

Golden batches come from integer arithmetic on a stable stream of bits, so their digest is the same everywhere.

A batch of B images is built by repeating b base images B / b times. Repetition leaves the mean, the biased variance, the
weighted mean loss and every gradient as they were, so one golden curve, made on b images, holds for the very executable
that is timed at batch size B. Only BatchNorm's running variance differs, through n - 1, and it plays no part in training.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.errors import UsageError
from bench.spec import Network
from bench.spec.weights import raw_words

Images = NDArray[np.uint8]
Labels = NDArray[np.int32]
Batch = tuple[Images, Labels]

MOST_BASE_IMAGES = 16
_CELLS = 6


def golden_batches(network: Network, steps: int, images: int, label: str) -> list[Batch]:
    """``steps`` different batches of smooth coloured blobs with grain; every class occurs in each.

    A coarse grid of random colours is stretched bilinearly and a little noise added, all in integers.
    """
    return [_batch(network, images, f"{label}:{step}") for step in range(steps)]


def _batch(network: Network, images: int, label: str) -> Batch:
    coarse = _bytes(f"{label}:grid", (images, _CELLS + 1, _CELLS + 1, 3)).astype(np.int64)
    rows, columns = _stretch(network.height), _stretch(network.width)
    smooth = np.einsum("hi,nijc->nhjc", rows, coarse)
    smooth = np.einsum("wj,nhjc->nhwc", columns, smooth) // 2**16
    grain = _bytes(f"{label}:grain", smooth.shape).astype(np.int64) // 4 - 32
    labels = (np.arange(images) + _bytes(f"{label}:first", (1,))[0]) % network.classes
    return np.clip(smooth + grain, 0, 255).astype(np.uint8), labels.astype(np.int32)


def _stretch(size: int) -> NDArray[np.int64]:
    """Bilinear weights (size, cells + 1) in units of 1/256."""
    weights = np.zeros((size, _CELLS + 1), np.int64)
    position = np.arange(size) * _CELLS * 256 // size
    cell, fraction = position // 256, position % 256
    weights[np.arange(size), cell] = 256 - fraction
    weights[np.arange(size), cell + 1] = fraction
    return weights


def _bytes(label: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    count = int(np.prod(shape))
    words = raw_words(label, -(-count // 8)).astype("<u8")
    return words.view(np.uint8)[:count].reshape(shape)


def base_size(batch_size: int, golden: int | None) -> int:
    """How many base images make up a batch of ``batch_size``: the golden file's number where it divides, else the largest
    divisor that an oracle can afford. Raises UsageError where none does."""
    if golden is not None and batch_size % golden == 0:
        return golden
    divisors = [b for b in range(min(batch_size, MOST_BASE_IMAGES), 1, -1) if batch_size % b == 0]
    if not divisors:
        raise UsageError(
            f"training with batch size {batch_size} cannot be checked against the specification; "
            f"expected 2 to {MOST_BASE_IMAGES}, or a multiple of one of these: try {-(-batch_size // 8) * 8}"
        )
    return divisors[0]


def tile(batch: Batch, batch_size: int) -> Batch:
    """The batch repeated to ``batch_size`` images."""
    images, labels = batch
    copies = batch_size // len(labels)
    return np.tile(images, (copies, 1, 1, 1)), np.tile(labels, copies)
