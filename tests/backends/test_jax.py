"""Backend ``jax`` against the kit; on the host also as it computes on a GPU, and what it says of a device's memory."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends import jax_lowering, jax_xla
from backends.jax_engine import JaxPredictor, JaxTrainer
from backends.jax_xla import JaxBackend
from bench.contract import Settings, Workload
from bench.spec import Weights
from bench.spec.weights import initial_weights
from bench.testing import BackendConformance, kit_workloads
from bench.verify.equivalence import Subject, verify

pytestmark = pytest.mark.slow


class TestConformance(BackendConformance):
    backend = JaxBackend()
    # Compiling takes seconds for each; the kit's two networks hold the other layers.
    layers = ("Conv2d, depthwise", "BatchNorm with a biased running variance", "AveragePool, overlapping")


class AsOnGpu(JaxBackend):
    """The host's cores, with XLA's own convolutions, pooling and BatchNorm."""

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> JaxTrainer:
        trainer = JaxTrainer(workload, weights, device, settings)
        trainer._on_host = False  # read when the step is compiled
        return trainer

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> JaxPredictor:
        predictor = JaxPredictor(workload, weights, device, settings)
        predictor._on_host = False
        return predictor


@pytest.mark.parametrize(
    ("precision", "workload"), [("fp32", kit_workloads()[0]), ("float64", kit_workloads()[1])], ids=["fp32", "float64"]
)
def test_what_a_gpu_gets_to_compute_passes_verification(
    precision: str, workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("host_convolution", "host_max_pool", "host_batch_norm"):
        monkeypatch.setattr(jax_lowering, name, None)  # the host's own must not be reached
    checks = verify(Subject(AsOnGpu(), "jax:cpu:0", workload, Settings(precision, 8, 2, tmp_path)))
    assert not [check for check in checks if not check.passed]


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


def test_the_users_choice_of_platforms_is_heeded(monkeypatch):
    assert "JAX_PLATFORMS" not in JaxBackend.environment
    monkeypatch.setattr(jax_xla, "_devices", lambda jax, platform: [])
    monkeypatch.setenv("JAX_PLATFORMS", "tpu")
    assert JaxBackend().probe().reason == "JAX finds no device of JAX_PLATFORMS=tpu; unset it, or name another"
