"""Backend ``cpu`` against the kit."""

from __future__ import annotations

from backends.cpu import CpuBackend
from bench.testing import BackendConformance


class TestConformance(BackendConformance):
    backend = CpuBackend()
