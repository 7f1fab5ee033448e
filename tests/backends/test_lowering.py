"""The lowerings: a layer they lack is named with its path, what they give back is in canonical layout, tf32 is never ambient."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from backends import jax_lowering, torch_lowering
from backends.cpu import CpuBackend
from backends.cuda import CudaBackend
from backends.jax_lowering import from_jax, to_jax
from backends.jax_xla import JaxBackend
from backends.torch_lowering import load, set_tf32, unload
from bench.contract import Backend, Settings, UnsupportedLayer, Workload
from bench.spec import BatchNorm, Dense, GlobalAveragePool, Network, SiLU, digest, initial_weights, sequential
from bench.testing import kit_workloads
from bench.verify.equivalence import compiled

RESIDUAL, ASSORTED = kit_workloads()
SETTINGS = Settings("float64", 8, 1)


@pytest.mark.parametrize("make", ["trainer", "predictor"])
@pytest.mark.parametrize(
    ("backend", "device", "table"),
    [(CpuBackend(), "cpu", torch_lowering._TABLE), (JaxBackend(), "jax:cpu:0", jax_lowering._TABLE)],
    ids=["cpu", "jax"],
)
def test_a_layer_that_a_lowering_lacks_is_named_with_its_path(
    backend: Backend, device: str, table: dict, make: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(table, SiLU)
    with pytest.raises(UnsupportedLayer, match=r"has no SiLU \('stem_silu'\)"):
        compiled(getattr(backend, make)(ASSORTED, initial_weights(ASSORTED.network, 0), device, SETTINGS))


def test_torch_says_that_it_has_no_biased_running_variance():
    body = sequential(norm=BatchNorm(3, running_variance="biased"), pool=GlobalAveragePool(), head=Dense(3, 3))
    workload = replace(RESIDUAL, network=Network(12, 10, 3, body))
    with pytest.raises(UnsupportedLayer, match="biased running variance"):
        CpuBackend().trainer(workload, initial_weights(workload.network, 0), "cpu", SETTINGS)


def through_torch(weights: dict) -> dict:
    return unload(load(weights, torch.device("cpu"), torch.float32, train=True))


def through_jax(weights: dict) -> dict:
    return from_jax(to_jax(weights, np.dtype("float32")))


@pytest.mark.parametrize("through", [through_torch, through_jax])
@pytest.mark.parametrize("workload", [RESIDUAL, ASSORTED], ids=lambda workload: workload.name)
def test_weights_come_back_as_they_went_in(workload: Workload, through: Callable[[dict], dict]):
    weights = initial_weights(workload.network, 5)
    found = through(weights)
    assert digest(found) == digest(weights)
    for name, value in found.items():
        assert not np.shares_memory(value, weights[name])


def test_tf32_is_off_unless_it_is_asked_for():
    try:
        set_tf32(True)
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
        CpuBackend().predictor(RESIDUAL, initial_weights(RESIDUAL.network, 0), "cpu", replace(SETTINGS, precision="fp32"))
        assert torch.backends.cuda.matmul.fp32_precision == "ieee"
        assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    finally:
        set_tf32(False)


@pytest.mark.parametrize("backend", [CpuBackend(), CudaBackend(), JaxBackend()], ids=lambda backend: backend.name)
def test_a_missing_framework_is_a_reason_that_says_what_to_install(backend: Backend, monkeypatch: pytest.MonkeyPatch):
    for framework in ("torch", "jax", "optax"):
        monkeypatch.setitem(sys.modules, framework, None)
    found = backend.probe()
    assert found.devices == ()
    assert "pip install 'accelbench[" in found.reason


def test_the_cpu_build_of_torch_explains_why_there_is_no_cuda_device():
    found = CudaBackend().probe()
    assert found.devices or ("torch" in found.versions and found.reason)
