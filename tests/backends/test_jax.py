"""Backend ``jax`` against the kit."""

from __future__ import annotations

from backends.jax_xla import JaxBackend
from bench.testing import BackendConformance


class TestConformance(BackendConformance):
    backend = JaxBackend()
    # Compiling takes seconds for each; the kit's two networks hold the other layers.
    layers = ("Conv2d, depthwise", "BatchNorm with a biased running variance", "AveragePool, overlapping")
