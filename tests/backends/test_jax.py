"""Backend ``jax`` against the kit, and what it says of a device's memory."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from backends.jax_engine import JaxPredictor
from backends.jax_xla import JaxBackend
from bench.contract import Settings
from bench.spec import initial_weights
from bench.testing import BackendConformance, kit_workloads


class TestConformance(BackendConformance):
    backend = JaxBackend()
    # Compiling takes seconds for each; the kit's two networks hold the other layers.
    layers = ("Conv2d, depthwise", "BatchNorm with a biased running variance", "AveragePool, overlapping")


@pytest.mark.parametrize(
    ("counted", "peak"),
    [
        ({"peak_bytes_in_use": 5, "peak_pool_bytes": 8}, 8),
        ({"peak_bytes_in_use": 5}, 5),
        ({"peak_bytes_in_use": 5, "peak_pool_bytes": 0}, 5),  # an allocator without a pool
        ({}, 0),
        (None, 0),
    ],
)
def test_peak_memory_is_that_of_the_pool_where_jax_counts_it(counted: dict[str, int] | None, peak: int):
    workload = kit_workloads()[0]
    predictor = JaxPredictor(workload, initial_weights(workload.network, 0), "jax:cpu:0", Settings("fp32", 8, 1))
    predictor._device = SimpleNamespace(memory_stats=lambda: counted)
    assert predictor.device_memory() == peak


def test_this_process_has_what_the_backend_wants_in_the_environment():
    assert JaxBackend.environment["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert {name: os.environ.get(name) for name in JaxBackend.environment} == JaxBackend.environment
