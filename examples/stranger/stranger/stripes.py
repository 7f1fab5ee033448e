"""Workload ``stripes``: are the stripes upright or level? Images are made on the spot, so it needs no files."""

from __future__ import annotations

import hashlib

import numpy as np

from bench.contract import TEST, TRAIN, VALIDATION, ImageSet, Workload, hookimpl
from bench.errors import DataError
from bench.spec import (
    AdamW,
    BatchNorm,
    Conv2d,
    CrossEntropy,
    Dense,
    GlobalAveragePool,
    Network,
    Residual,
    Schedule,
    SiLU,
    sequential,
)

SIZE = 16

NETWORK = Network(
    SIZE,
    SIZE,
    2,
    sequential(
        stem=Conv2d(3, 8, 3, padding=1, bias=True),
        norm=BatchNorm(8),
        act=SiLU(),
        block=Residual(sequential(conv=Conv2d(8, 8, 3, padding=1), norm=BatchNorm(8), act=SiLU())),
        pool=GlobalAveragePool(),
        head=Dense(8, 2),
    ),
)


class Stripes:
    """The reader: a seeded generator instead of files."""

    def open(self, request, height, width):
        if request.path is not None:
            raise DataError(f"the workload stripes makes its own images; it cannot read {request.path}")
        labels = (np.arange(request.count) % 2).astype(np.int32)
        split = np.array([TRAIN] * 7 + [VALIDATION] + [TEST] * 2, np.uint8)[np.arange(request.count) % 10]
        identity = hashlib.sha256(f"stripes {request.count} {request.seed} {height} {width}".encode()).hexdigest()

        def read(indices):
            return np.stack([picture(request.seed, int(i), int(labels[i]), height, width) for i in indices])

        return ImageSet(request.count, height, width, labels, split, "synthetic stripes", identity, read)

    def files(self, request, folder):
        raise DataError("the workload stripes has no image files to decode")

    def decode(self, file, height, width):
        raise DataError("the workload stripes has no image files to decode")


def picture(seed, index, label, height, width):
    rng = np.random.default_rng([seed, index])
    wave = np.sin(np.arange(max(height, width)) * rng.uniform(0.5, 1.5) + rng.uniform(0, 6))
    stripes = np.broadcast_to(wave[:height, None] if label else wave[None, :width], (height, width))
    noisy = 128 + 50 * stripes[..., None] * rng.uniform(0.3, 1, 3) + rng.normal(0, 20, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


@hookimpl
def bench_workloads():
    return [
        Workload(
            name="stripes",
            size="small",
            network=NETWORK,
            loss=CrossEntropy(),
            optimizer=AdamW(Schedule(1e-2)),
            batch_size=32,
            epochs=2,
            seed=0,
            classes=("upright", "level"),
            data=Stripes(),
            summary="16x16, upright or level stripes",
        )
    ]
