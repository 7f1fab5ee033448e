"""Backend ``cuda`` against the kit; without a GPU, its tests skip with the reason that ``probe()`` gives.

What can be proven without one is proven on the host: steps over buffers that stay in place, with the learning rate in memory and
the state put back after recording. Only the recording itself needs a GPU.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backends.cuda import CHOICES, CudaBackend
from backends.torch_engine import TorchPredictor, TorchTrainer
from bench.contract import Device, Predictor, Probe, Settings, Trainer, Workload
from bench.spec import AdamW, Schedule, Weights, initial_weights
from bench.testing import BackendConformance, kit_workloads


class Recorded(CudaBackend):
    """With steps and inference as CUDA graphs."""

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Trainer:
        """A step is a graph."""
        return super().trainer(workload, weights, device, replace(settings, options={"step": "graph"}))

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Predictor:
        """So is a forward pass."""
        return super().predictor(workload, weights, device, replace(settings, options={"inference": "graph"}))


class RecordedOnHost(Recorded):
    """The same on the host, where what would be recorded is done again."""

    def probe(self) -> Probe:
        """The host's cores."""
        return Probe((Device("cpu", "cpu", "", ("fp32",), "host"),), {"torch": "of the host"})


class TestConformance(BackendConformance):
    backend = CudaBackend()


class TestConformanceOfGraphs(BackendConformance):
    backend = Recorded()


class TestConformanceOfGraphsOnHost(BackendConformance):
    backend = RecordedOnHost()


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
    for recorded in (False, True):
        trainer = TorchTrainer(workload, initial_weights(network, 0), "cpu", settings, recorded=recorded)
        if recorded:
            trainer.compile()
        progress = [trainer.wait(trainer.run([trainer.stage(*batch)])) for batch in zip(images, labels, strict=True)]
        found.append(([float(one.losses[0]) for one in progress], trainer.weights()))
    (losses, weights), (again, others) = found
    assert losses == pytest.approx(again, rel=1e-5)
    for name, value in weights.items():
        np.testing.assert_allclose(others[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_recorded_forward_pass_is_the_same():
    workload = kit_workloads()[0]
    network = workload.network
    images = np.random.default_rng(0).integers(0, 256, (2, 8, network.height, network.width, 3), dtype=np.uint8)
    found = []
    for recorded in (False, True):
        predictor = TorchPredictor(workload, initial_weights(network, 0), "cpu", Settings("fp32", 8, 1), recorded=recorded)
        if recorded:
            predictor.compile()
        found.append([predictor.wait(predictor.run(predictor.stage(batch))) for batch in images])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_the_search_tries_every_way():
    ways = CudaBackend().alternatives(kit_workloads()[0], "train", Settings("bf16", 8, 1))
    assert [way["step"] for way in ways] == list(CHOICES["step"])
    assert CudaBackend().alternatives(kit_workloads()[0], "infer", Settings("float64", 8, 1)) == ()
