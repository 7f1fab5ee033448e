"""Workload ``melanoma-shallow``: the traditional way that the CNN is compared with, hand-made features and a shallow network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import DataRequest, ImageSet, Recipe, Workload, hookimpl
from bench.spec import SGD, Dense, Flatten, Network, ReLU, sequential
from workloads.features import HEIGHT, WIDTH, features
from workloads.images.parallel import by_pieces
from workloads.images.reader import ImageReader
from workloads.melanoma import CLASSES, LOSS
from workloads.schedule import one_cycle

FEATURES, HIDDEN = 3 * HEIGHT * WIDTH, 32
BATCH_SIZE, EPOCHS = 64, 40


class FeatureReader:
    """``bench.contract.DataReader`` that gives the features of images of one size, as images of 4x6 pixels."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._images = ImageReader(classes=CLASSES)

    def open(self, request: DataRequest, height: int, width: int) -> ImageSet:
        """Find the images and check the labels; decode nothing yet. Raises DataError."""
        images = self._images.open(request, self._size, self._size)

        def read(indices: NDArray[np.int64]) -> NDArray[np.uint8]:
            return by_pieces(lambda some: features(images.read(some)), indices, height, width, _AT_ONCE)

        return replace(
            images,
            height=height,
            width=width,
            description=f"{FEATURES} features at {self._size}x{self._size} of: {images.description}",
            fingerprint=f"{images.fingerprint}-features-{VERSION}-{self._size}",
            read=read,
        )

    def files(self, request: DataRequest, folder: Path) -> Sequence[Path]:
        """JPEG files to time decoding and feature extraction on. Raises DataError."""
        return self._images.files(request, folder)

    @property
    def lowering(self) -> str:
        """What decodes JPEG files here, and what follows."""
        return f"{self._images.lowering}, features by NumPy {np.__version__}"

    def decode(self, file: Path, height: int, width: int) -> tuple[NDArray[np.uint8], int]:
        """The features of one file (height, width, 3), and the pixels that the file holds."""
        image, pixels = self._images.decode(file, self._size, self._size)
        return features(image[None])[0], pixels


_AT_ONCE = 64  # images whose features are computed together
VERSION = 1  # raised whenever a feature changes


def _workload(size: str, pixels: int) -> Workload:
    schedule = one_cycle(0.02, BATCH_SIZE, EPOCHS)
    body = sequential(flat=Flatten(), hidden=Dense(FEATURES, HIDDEN), relu=ReLU(), head=Dense(HIDDEN, len(CLASSES)))
    return Workload(
        name="melanoma-shallow",
        size=size,
        network=Network(HEIGHT, WIDTH, len(CLASSES), body),
        loss=LOSS,
        optimizer=SGD(schedule, momentum=0.9, nesterov=True, weight_decay=1e-3),
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        seed=0,
        classes=CLASSES,
        data=FeatureReader(pixels),
        golden=Path(__file__).parent / "golden" / f"melanoma-shallow-{size}.json",
        summary=f"{FEATURES} hand-made features of {pixels}x{pixels} pixels, one hidden layer of {HIDDEN}",
        # A feature is no pixel: nothing can be flipped or mirrored.
        recipe=Recipe(flips=False, views=1),
    )


@hookimpl
def bench_workloads() -> list[Workload]:
    """Features of images as large as ``melanoma``'s of the same size."""
    return [_workload("tiny", 28), _workload("small", 64)]
