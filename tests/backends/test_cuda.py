"""Backend ``cuda`` against the kit; without a GPU, its tests skip with the reason that ``probe()`` gives."""

from __future__ import annotations

from backends.cuda import CudaBackend
from bench.testing import BackendConformance


class TestConformance(BackendConformance):
    backend = CudaBackend()
