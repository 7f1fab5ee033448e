"""Ceilings are measured on images that never come again, as trials are."""

from __future__ import annotations

import os

import numpy as np

from backends.cpu import CpuBackend
from bench.worker import ceiling
from bench.worker.channel import Channel
from bench.worker.jobs import MeasureCeiling
from tests.worker.test_alive import CPU, case


def test_no_image_comes_twice(monkeypatch):
    readers = []

    class Reader:
        def __init__(self):
            self.seen: list[bytes] = []
            readers.append(self)

        def stage(self, images):
            self.seen.extend(image.tobytes() for image in images)
            return images

        def run(self, staged):
            return len(staged)

        def wait(self, pending):
            return np.full((pending, 2), 0.5, np.float32)

    read = next(shape for shape in ceiling._shapes("cpu") if shape.kind == "copy")
    monkeypatch.setattr(ceiling, "_shapes", lambda kind: [read])
    monkeypatch.setattr(ceiling, "SECONDS_PER_SHAPE", 1e-3)
    monkeypatch.setattr(CpuBackend, "predictor", lambda *given: Reader())
    job = MeasureCeiling(case=case("infer", "offline", batch_size=0), backend=CPU, workload=None)
    found = ceiling.measure_ceiling(job, Channel(os.open(os.devnull, os.O_WRONLY)))
    assert [reached.kind for reached in found] == ["copy"]
    assert all(len(set(reader.seen)) == len(reader.seen) >= 64 for reader in readers)
