"""The lowerings: a layer they lack is named with its path, what they give back is in canonical layout, tf32 is never ambient."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backends import jax_lowering, torch_lowering
from backends.cpu import CpuBackend
from backends.cuda import CudaBackend
from backends.jax_lowering import from_jax, to_jax
from backends.jax_xla import JaxBackend
from backends.options import LAYERS
from backends.torch_lowering import load, set_tf32, unload
from bench.contract import Backend, Settings, UnsupportedLayer, Workload
from bench.spec import BatchNorm, Dense, GlobalAveragePool, Network, SiLU, sequential
from bench.spec.weights import digest, initial_weights
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


def test_the_backends_declare_the_layers_of_their_lowerings():
    assert (
        {*LAYERS} == {*jax_lowering._TABLE} == {*torch_lowering._TABLE, BatchNorm}
    )  # which PyTorch's lowers with its neighbours


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


@pytest.fixture
def strict_afterwards() -> Iterator[None]:
    """Switch tf32 off again after the test."""
    yield
    set_tf32(False)


@pytest.mark.usefixtures("strict_afterwards")
def test_tf32_is_off_unless_it_is_asked_for():
    set_tf32(True)
    CpuBackend().predictor(RESIDUAL, initial_weights(RESIDUAL.network, 0), "cpu", replace(SETTINGS, precision="fp32"))
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32


def switches() -> dict[str, object]:
    """What each switch that this PyTorch has says of tf32: the old ones yes or no, the new ones the name of a precision."""
    cuda, cudnn, mkldnn = torch.backends.cuda, torch.backends.cudnn, torch.backends.mkldnn
    found: dict[str, object] = {
        "matmul": torch.get_float32_matmul_precision(),
        "cuda.matmul": cuda.matmul.allow_tf32,
        "cudnn": cudnn.allow_tf32,
    }
    if hasattr(cuda.matmul, "fp32_precision"):
        new = {"": torch.backends, "cuda.matmul": cuda.matmul, "cudnn": cudnn, "mkldnn": mkldnn}
        new |= {f"cudnn.{name}": getattr(cudnn, name) for name in ("conv", "rnn")}
        new |= {f"mkldnn.{name}": getattr(mkldnn, name) for name in ("matmul", "conv", "rnn")}
        found |= {f"{name}.fp32_precision": library.fp32_precision for name, library in new.items()}
    return found


@pytest.mark.usefixtures("strict_afterwards")
@pytest.mark.parametrize("before", [(), (True,), (False,), (True, False), (False, True)], ids=str)
@pytest.mark.parametrize("enabled", [True, False])
def test_every_switch_of_tf32_answers_and_says_the_same(enabled: bool, before: tuple[bool, ...]):
    for earlier in before:
        set_tf32(earlier)
    set_tf32(enabled)
    for name, value in switches().items():
        assert value in ({True, "high", "tf32"} if enabled else {False, "highest", "ieee"}), name


@pytest.mark.usefixtures("strict_afterwards")
@pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="PyTorch before 2.9 has one set only")
@pytest.mark.parametrize("enabled", [True, False])
def test_switches_that_someone_else_has_set_apart_are_brought_together(enabled: bool):
    torch.backends.cuda.matmul.fp32_precision = "ieee" if enabled else "tf32"
    torch.backends.cudnn.conv.fp32_precision = "ieee" if enabled else "tf32"
    set_tf32(enabled)
    assert torch.backends.cuda.matmul.allow_tf32 is enabled
    assert torch.backends.cudnn.allow_tf32 is enabled


def test_pytorch_before_its_new_switches_has_the_old_ones_set(monkeypatch: pytest.MonkeyPatch):
    class Matmul:
        allow_bf16_reduced_precision_reduction = True

    said: list[str] = []
    library = SimpleNamespace(
        backends=SimpleNamespace(cuda=SimpleNamespace(matmul=Matmul()), cudnn=SimpleNamespace(allow_tf32=True)),
        set_float32_matmul_precision=said.append,
    )
    monkeypatch.setattr(torch_lowering, "torch", library)
    set_tf32(False)
    assert said == ["highest"]
    assert library.backends.cudnn.allow_tf32 is False
    assert library.backends.cuda.matmul.allow_bf16_reduced_precision_reduction is False


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
