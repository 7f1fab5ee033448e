"""Backend ``jax`` against the kit."""

from __future__ import annotations

from backends.jax_xla import JaxBackend
from bench.testing import BackendConformance


class TestConformance(BackendConformance):
    backend = JaxBackend()
