"""The ``cuda`` backend's own code for streams, events, pinned memory and graphs, on a stand-in for the card that runs everything late.

Each way trains or predicts with two blocks in flight, over two sets of host arrays that are filled again after each ``wait``, and is
compared with the plain way on the host, step by step. That the comparison can fail is shown by taking a line out of the backend.
"""

from __future__ import annotations

import importlib
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from backends import torch_engine
from bench.contract import Settings, Workload
from bench.spec import AdamW, Schedule, Weights
from bench.spec.weights import initial_weights
from bench.testing import kit_workloads
from bench.verify.equivalence import compiled
from tests.support.cuda_stand_in import DEVICE, Event, OnCard, Stream, stand_in

pytestmark = pytest.mark.slow

BLOCKS, STEPS, IN_FLIGHT = 5, 2, 2
SETTINGS = Settings("fp32", 8, 1)
WORKLOADS = {"sgd": kit_workloads()[0], "adamw": kit_workloads()[1]}


@dataclass(frozen=True)
class Outcome:
    """What came of it, and whether the answers lie in pinned memory, which the allocator would have to keep for them."""

    answers: list[np.ndarray]  # losses of each block, or probabilities of each batch
    witnesses: list[float]
    weights: Weights
    pinned: bool = False


def batches(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Images (blocks, steps, batch, height, width, 3) and labels."""
    network, rng = workload.network, np.random.default_rng(3)
    images = rng.integers(0, 256, (BLOCKS, STEPS, 8, network.height, network.width, 3), dtype=np.uint8)
    return images, rng.integers(0, network.classes, images.shape[:3]).astype(np.int32)


def in_flight(run: Callable[[int], Any], wait: Callable[[Any], Any]) -> list[Any]:
    """The answers of all blocks, of which no more than two are enqueued and not yet waited for."""
    pending: deque[Any] = deque()
    answers = []
    for index in range(BLOCKS):
        if len(pending) == IN_FLIGHT:
            answers.append(wait(pending.popleft()))
        pending.append(run(index))
    return answers + [wait(pending.popleft()) for _ in range(len(pending))]


def train(engine: ModuleType, way: str, workload: Workload, device: str) -> Outcome:
    trainer = compiled(getattr(engine, way)(workload, initial_weights(workload.network, 0), device, SETTINGS))
    images, labels = batches(workload)
    arrays = [(np.empty_like(images[0]), np.empty_like(labels[0])) for _ in range(IN_FLIGHT)]

    def run(index: int) -> Any:
        mine = arrays[index % IN_FLIGHT]
        mine[0][:], mine[1][:] = images[index], labels[index]
        return trainer.run([trainer.stage(*batch) for batch in zip(*mine, strict=True)])

    blocks = in_flight(run, trainer.wait)
    return Outcome([block.losses for block in blocks], [block.witness for block in blocks], trainer.weights())


def predict(engine: ModuleType, way: str, workload: Workload, device: str) -> Outcome:
    predictor = compiled(getattr(engine, way)(workload, initial_weights(workload.network, 0), device, SETTINGS))
    images, _ = batches(workload)
    arrays = [np.empty_like(images[0, 0]) for _ in range(IN_FLIGHT)]

    def run(index: int) -> Any:
        arrays[index % IN_FLIGHT][:] = images[index, 0]
        return predictor.run(predictor.stage(arrays[index % IN_FLIGHT]))

    return Outcome(in_flight(run, predictor.wait), [], {})


def do(way: str) -> Callable[..., Outcome]:
    return train if way.endswith("Trainer") else predict


@cache
def on_host(plain: str, optimizer: str) -> Outcome:
    """The plain way on the host: one step after the other."""
    return do(plain)(torch_engine, plain, WORKLOADS[optimizer], "cpu")


def on_card(engine: ModuleType, way: str, optimizer: str) -> Outcome:
    with stand_in() as card:
        found = do(way)(engine, way, WORKLOADS[optimizer], str(DEVICE))
    pinned = any(np.shares_memory(answer, memory.numpy()) for answer in found.answers for memory in card.pinned)
    return replace(found, pinned=pinned)


def check(way: str, optimizer: str, engine: ModuleType = torch_engine) -> None:
    """The answers of every block, still the same after those that followed; then the weights."""
    expected, found = on_host(way.replace("Recorded", "Torch"), optimizer), on_card(engine, way, optimizer)
    for index, (one, other) in enumerate(zip(found.answers, expected.answers, strict=True)):
        np.testing.assert_allclose(one, other, rtol=1e-4, err_msg=f"block {index}")
    np.testing.assert_allclose(found.witnesses, expected.witnesses, rtol=1e-4)
    for name, value in expected.weights.items():
        np.testing.assert_allclose(found.weights[name], value, rtol=1e-3, atol=1e-5, err_msg=name)
    assert not found.pinned, "answers lie in pinned memory"


@pytest.mark.parametrize("optimizer", WORKLOADS)
@pytest.mark.parametrize("way", ["TorchTrainer", "RecordedTrainer", "TorchPredictor", "RecordedPredictor"])
def test_with_two_blocks_in_flight_each_answer_is_that_of_the_host(way: str, optimizer: str):
    check(way, optimizer)


def test_the_learning_rate_is_read_anew_in_each_replay_of_a_recorded_step():
    """Every second rate is 0. If the rate were part of the recording, all steps would move the weights, or none."""
    workload = WORKLOADS["sgd"]

    class Pausing(Schedule):
        def at(self, step: int) -> float:
            return 0.05 if step % 2 else 0.0

    workload = replace(workload, optimizer=replace(workload.optimizer, schedule=Pausing(0.05)))
    images, labels = batches(workload)
    witnesses = []
    with stand_in():
        trainer = compiled(
            torch_engine.RecordedTrainer(workload, initial_weights(workload.network, 0), str(DEVICE), SETTINGS)
        )
        for step in range(4):
            block = [trainer.stage(images[step, 0], labels[step, 0])]
            witnesses.append(trainer.wait(trainer.run(block)).witness)
    start = sum(
        np.square(value).sum() for name, value in initial_weights(workload.network, 0).items() if "running" not in name
    )
    assert witnesses[0] == pytest.approx(start, rel=1e-5)
    assert witnesses[1] != pytest.approx(witnesses[0], rel=1e-5)
    assert witnesses[2] == pytest.approx(witnesses[1], rel=1e-6)
    assert witnesses[3] != pytest.approx(witnesses[2], rel=1e-5)


def test_adamw_is_made_for_recording_and_begins_at_step_0():
    workload = replace(WORKLOADS["sgd"], optimizer=AdamW(Schedule(0.01, warmup_steps=2), weight_decay=0.01))
    with stand_in():
        made = torch_engine.RecordedTrainer(workload, initial_weights(workload.network, 0), str(DEVICE), SETTINGS)
        assert all(group["capturable"] and group["fused"] for group in made._optimizer.param_groups)
        trainer = compiled(made)
        steps = [state["step"].cpu() for state in trainer._optimizer.state.values()]
    assert steps
    assert all(step == 0 for step in steps)


def test_peak_memory_is_what_pytorch_has_reserved():
    workload = WORKLOADS["sgd"]
    with stand_in() as card:
        predictor = torch_engine.TorchPredictor(workload, initial_weights(workload.network, 0), str(DEVICE), SETTINGS)
        assert predictor.device_memory() == card.reserved > 0


ENGINE, GRAPH = "backends.torch_engine", "backends.torch_graph"
MISTAKES = {
    "batches not waited for": (ENGINE, "stream.wait_event(staged.arrived)", "pass", "TorchTrainer"),
    "arrival recorded on the wrong stream": (
        ENGINE,
        "arrived.record()",
        "arrived.record(torch.cuda.Stream())",
        "TorchTrainer",
    ),
    "memory freed under the step": (ENGINE, "tensor.record_stream(stream)", "pass", "TorchTrainer"),
    "memory freed under the prediction": (ENGINE, "tensor.record_stream(stream)", "pass", "RecordedPredictor"),
    "a recorded loss not copied": (ENGINE, "self._recorded().clone()", "self._recorded()", "RecordedTrainer"),
    "losses read early": (ENGINE, "pending.done.synchronize()", "pass", "RecordedTrainer"),
    "probabilities read early": (ENGINE, "pending.done.synchronize()", "pass", "TorchPredictor"),
    "numbers not copied to the host": (ENGINE, "host.copy_(numbers, non_blocking=True)", "pass", "TorchTrainer"),
    "losses left in pinned memory": (ENGINE, "numbers[:-1].copy()", "numbers[:-1]", "TorchTrainer"),
    "probabilities left in pinned memory": (
        ENGINE,
        "self._arrived(pending).copy()",
        "self._arrived(pending)",
        "TorchPredictor",
    ),
    "momentum kept from warm-up": (ENGINE, "value.zero_()", "pass", "RecordedTrainer"),
    "statistics kept from warm-up": (ENGINE, "self._tensors[name].copy_(tensor)", "pass", "RecordedTrainer"),
    "a recorded learning rate": (ENGINE, 'group["lr"].fill_(rate)', 'group["lr"] = rate', "RecordedTrainer"),
    "recorded labels": (ENGINE, "self._labels.copy_(labels)", "pass", "RecordedTrainer"),
    "recorded images": (ENGINE, "            self._images.copy_(images)", "            pass", "RecordedPredictor"),
    "a graph not replayed": (GRAPH, "self._graph.replay()", "pass", "RecordedPredictor"),
}
"""For each: the module, a piece of its text, what replaces it, and the way whose answers must change."""


def altered(name: str, right: str, wrong: str, patch: pytest.MonkeyPatch) -> ModuleType:
    """The module with one piece of its text replaced."""
    original = importlib.import_module(name)
    text = Path(str(original.__file__)).read_text()
    assert right in text, f"{name} has no longer '{right}'"
    module = ModuleType(f"{name}_altered")
    patch.setitem(sys.modules, module.__name__, module)
    exec(compile(text.replace(right, wrong), module.__name__, "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_backend_is_noticed(mistake: str, monkeypatch: pytest.MonkeyPatch):
    name, right, wrong, way = MISTAKES[mistake]
    module = altered(name, right, wrong, monkeypatch)
    if name == GRAPH:
        monkeypatch.setattr(torch_engine, "Recorded", module.Recorded)
    with pytest.raises(AssertionError, match=r"Not equal to tolerance|pinned memory"):
        check(way, "sgd", torch_engine if name == GRAPH else module)


def test_what_is_enqueued_is_done_no_sooner_than_someone_must_have_it():
    with stand_in():
        aside = Stream()
        with torch.cuda.stream(aside):
            tensor = torch.tensor([1.0, 2.0]).pin_memory().to(DEVICE, non_blocking=True)
            arrived = Event()
            arrived.record()
        assert isinstance(tensor, OnCard)
        assert tensor.device == DEVICE
        assert tensor.host.isnan().all()
        torch.cuda.current_stream().wait_event(arrived)
        doubled = tensor + tensor
        assert doubled.host.isnan().all()
        assert doubled.cpu().tolist() == [2.0, 4.0]


def test_what_cuda_refuses_is_refused():
    with stand_in():
        tensor = torch.zeros(2, device=DEVICE)
        with pytest.raises(RuntimeError, match="same device"):
            tensor + torch.zeros(2)
        aside = torch.cuda.Stream()
        with torch.cuda.graph(torch.cuda.CUDAGraph(), stream=aside), pytest.raises(RuntimeError, match="capturing"):
            tensor.sum().item()
