"""Backend ``cuda`` against the kit; without a GPU, its tests skip with the reason that ``probe()`` gives.

What can be proven without one is proven on the host: steps over buffers that stay in place, with the learning rate in memory and
the state put back after recording. ``test_cuda_paths`` runs the code for streams and graphs on a stand-in for the card.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch

from backends.cuda import CHOICES, CudaBackend
from backends.torch_engine import RecordedPredictor, RecordedTrainer, TorchPredictor, TorchTrainer
from backends.torch_graph import Recorded
from bench.contract import Device, Probe, Settings, Workload
from bench.spec import AdamW, Schedule
from bench.spec.weights import initial_weights
from bench.testing import BackendConformance, kit_workloads
from bench.verify.equivalence import compiled

pytestmark = pytest.mark.slow


class OnHost(CudaBackend):
    """The host's cores as its device: what would be recorded is done again."""

    def probe(self) -> Probe:
        """The host alone."""
        return Probe((Device("cpu", "cpu", "", ("fp32",), "host"),), {"torch": str(torch.__version__)})


class TestConformance(BackendConformance):
    backend = CudaBackend()


class TestConformanceOfGraphs(BackendConformance):
    backend = CudaBackend()
    options: ClassVar = {"step": "graph", "inference": "graph"}


class TestConformanceOfCompiledGraphs(BackendConformance):
    backend = CudaBackend()
    options: ClassVar = {"step": "compiled", "inference": "compiled"}
    precisions = ("fp32", "bf16")
    layers = ()


class TestConformanceOfGraphsOnHost(BackendConformance):
    backend = OnHost()
    options: ClassVar = {"step": "graph", "inference": "graph"}


def adam(workload: Workload) -> Workload:
    return replace(workload, optimizer=AdamW(Schedule(1e-2, warmup_steps=2, total_steps=8), weight_decay=0.01))


@pytest.mark.parametrize("change", [lambda workload: workload, adam], ids=["sgd", "adamw"])
def test_a_recorded_step_is_the_same_step(change):
    workload = change(kit_workloads()[0])
    network, settings = workload.network, Settings("fp32", 8, 1)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 8, network.height, network.width, 3), dtype=np.uint8)
    labels = rng.integers(0, network.classes, (4, 8)).astype(np.int32)
    found = []
    for make in (TorchTrainer, RecordedTrainer):
        trainer = compiled(make(workload, initial_weights(network, 0), "cpu", settings))
        block = [trainer.stage(*batch) for batch in zip(images, labels, strict=True)]
        found.append((trainer.wait(trainer.run(block)).losses, trainer.weights()))
    (losses, weights), (again, others) = found
    assert losses == pytest.approx(again, rel=1e-5)
    assert len(set(losses)) == len(losses)
    for name, value in weights.items():
        np.testing.assert_allclose(others[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_recorded_forward_pass_is_the_same():
    workload = kit_workloads()[0]
    network = workload.network
    images = np.random.default_rng(0).integers(0, 256, (2, 8, network.height, network.width, 3), dtype=np.uint8)
    found = []
    for make in (TorchPredictor, RecordedPredictor):
        predictor = compiled(make(workload, initial_weights(network, 0), "cpu", Settings("fp32", 8, 1)))
        pending = [predictor.run(predictor.stage(batch)) for batch in images]
        found.append([predictor.wait(one) for one in pending])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_a_step_goes_into_torch_compile_whole(precision: str, monkeypatch: pytest.MonkeyPatch):
    """With the tracer alone, for generating code takes half a minute: no part of a step is left to Python."""
    plain = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda function, **_: plain(function, dynamic=False, fullgraph=True, backend="aot_eager")
    )
    workload = kit_workloads()[0]
    network, settings = workload.network, Settings(precision, 8, 1)
    images = np.random.default_rng(0).integers(0, 256, (8, network.height, network.width, 3), dtype=np.uint8)
    labels = np.arange(8, dtype=np.int32) % network.classes
    losses, predictions = [], []
    for more in ({}, {"compiled": True}):
        trainer = compiled(RecordedTrainer(workload, initial_weights(network, 0), "cpu", settings, **more))
        losses.append(trainer.wait(trainer.run([trainer.stage(images, labels)] * 2)).losses)
        predictor = compiled(RecordedPredictor(workload, initial_weights(network, 0), "cpu", settings, **more))
        predictions.append(predictor.wait(predictor.run(predictor.stage(images))))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-2 if precision == "bf16" else 1e-5)
    np.testing.assert_allclose(predictions[0], predictions[1], rtol=1e-2 if precision == "bf16" else 1e-5)


def of_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own warning, as Inductor gives it on a GPU."""
    from torch._inductor import compile_fx

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    compile_fx._warn_tf32_disabled.cache_clear()
    compile_fx._warn_tf32_disabled()


def of_capturable(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own warning, as an optimizer made for recording gives it on a GPU while it is not recorded."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    if hasattr(torch, "accelerator"):  # where newer ones look
        stream = SimpleNamespace(is_capturing=lambda: False)
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
        monkeypatch.setattr(torch.accelerator, "current_stream", lambda: stream)
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    optimizer.param_groups[0]["capturable"] = True
    optimizer._warned_capturable_if_run_uncaptured = False  # PyTorch starts as if it had warned
    optimizer.step()


def of_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings.warn("something else", stacklevel=1)


def recorded(warns: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> torch.Tensor:
        with monkeypatch.context() as patch:
            warns(patch)
        return torch.zeros(1)

    Recorded(work, torch.device("cpu"))


@pytest.mark.parametrize("warns", [of_tf32, of_capturable])
def test_what_pytorch_warns_of_on_purpose_is_not_shown(warns, monkeypatch: pytest.MonkeyPatch):
    with pytest.warns(UserWarning, match="TensorFloat32|capturable"), monkeypatch.context() as patch:
        warns(patch)
    recorded(warns, monkeypatch)


def test_other_warnings_are_shown(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserWarning, match="something else"):
        recorded(of_something_else, monkeypatch)


def test_the_search_tries_every_way():
    ways = CudaBackend().alternatives(kit_workloads()[0], "train", Settings("bf16", 8, 1))
    assert [way["step"] for way in ways] == list(CHOICES["step"])
    assert CudaBackend().alternatives(kit_workloads()[0], "infer", Settings("float64", 8, 1)) == ()
