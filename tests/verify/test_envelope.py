"""Envelopes: wide enough for honest frameworks, whatever the batch and the threads; too narrow for another precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backends.cpu import CpuBackend
from bench.contract import Settings, Workload
from bench.spec import SGD, CrossEntropy, Schedule
from bench.spec.weights import initial_weights
from bench.testing import kit_workloads
from bench.testing.reference import ReferenceBackend, rounding
from bench.verify.batches import Batch
from bench.verify.envelope import resolved, strayed_statistics, strayed_updates
from bench.verify.equivalence import Subject, verify
from bench.verify.timed import first_steps
from workloads.networks import small_residual

pytestmark = pytest.mark.slow

RESIDUAL, ASSORTED = kit_workloads()
TINY = Workload(
    name="tiny",
    size="test",
    network=small_residual(14, 2, widths=(8, 16)),
    loss=CrossEntropy((1.0, 4.0)),
    optimizer=SGD(Schedule(0.1, 20, 400), 0.9, nesterov=True, weight_decay=5e-4),
    batch_size=8,
    epochs=1,
    seed=0,
    classes=("other", "melanoma"),
    data=None,
)


def seeded(workload: Workload, seed: int) -> Workload:
    return replace(workload, name=f"{workload.name}-{seed}", seed=seed)


def failed(subject: Subject) -> list[str]:
    return [f"{check.name}: {check.found} > {check.allowed}" for check in verify(subject) if not check.passed]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_torch_never_raises_a_false_alarm(precision: str, seed: int):
    backend = CpuBackend()
    if precision not in backend.probe().devices[0].precisions:
        pytest.skip(f"this processor does not compute {precision}")
    for workload in (RESIDUAL, ASSORTED, TINY):
        subject = Subject(backend, "cpu", seeded(workload, seed), Settings(precision, 8, threads=1))
        assert failed(subject) == []


def test_threads_raise_none_either():
    assert failed(Subject(CpuBackend(), "cpu", RESIDUAL, Settings("fp32", 8, threads=2))) == []


@pytest.mark.parametrize("batch_size", [8, 10, 16, 24, 32])
@pytest.mark.parametrize("precision", ["float64", "fp32", "bf16"])
def test_first_losses_of_torch_at_every_batch_size(precision: str, batch_size: int):
    """A multiple of the golden batch has its curve; another size gets a curve of its own."""
    backend = CpuBackend()
    if precision not in backend.probe().devices[0].precisions:
        pytest.skip(f"this processor does not compute {precision}")
    start, trained = first_steps(TINY, batch_size, precision)
    weights = initial_weights(trained.network, trained.seed)
    trainer = backend.trainer(trained, weights, "cpu", Settings(precision, batch_size, threads=1))
    losses = [loss for batch in start.batches for loss in step(trainer, batch)]
    assert len(losses) == (5 if batch_size % 8 == 0 else 3)
    check = start.check(losses, precision)
    assert check.passed, check


def step(trainer, batch: Batch) -> list[float]:
    assert len(batch[1]) == len(batch[0])
    return trainer.wait(trainer.run([trainer.stage(*batch)])).losses.tolist()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("given", ["tf32", "bf16"])
def test_nothing_coarser_passes_as_fp32(given: str, seed: int):
    backend = ReferenceBackend(rounding=lambda precision: rounding(given if precision == "fp32" else precision))
    for workload in (RESIDUAL, ASSORTED, TINY):
        names = {line.split(":")[0] for line in failed(Subject(backend, "reference", seeded(workload, seed), FP32))}
        assert {"losses", "predictions"} <= names
        assert given == "tf32" or "running statistics" in names


FP32 = Settings("fp32", 8, 1)


def test_shares_of_updates():
    before = {"a": np.zeros(4), "b": np.ones(4)}
    expected = {"a": np.array([1.0, -2.0, 3.0, 4.0]), "b": np.full(4, 1.5)}
    assert strayed_updates(before, expected, expected) == {"a": 0, "b": 0}
    assert strayed_updates(before, expected, before) == {"a": 1, "b": 1}
    half = {name: before[name] + (expected[name] - before[name]) / 2 for name in before}
    assert strayed_updates(before, expected, half) == pytest.approx({"a": 0.5, "b": 0.5})
    assert strayed_updates(before, expected, expected | {"a": np.full(4, np.nan)})["a"] != 0


def test_updates_that_are_rounding_only_are_not_judged():
    weights = {"still": np.ones(4), "moving": np.ones(4)}
    assert resolved({"still": np.full(4, 1e-9), "moving": np.full(4, 1e-2)}, weights) == ["moving"]
    assert resolved(
        {"still": np.full(4, 1e-9), "moving": np.full(4, 1e-2)}, {"still": np.zeros(4), "moving": np.ones(4)}
    ) == ["moving"]


def test_statistics_are_measured_in_their_own_size():
    expected = {"n.running_mean": np.array([10.0, 0.0]), "n.running_var": np.array([4.0, 100.0]), "n.weight": np.ones(2)}
    found = {"n.running_mean": np.array([10.2, 0.1]), "n.running_var": np.array([4.0, 101.0]), "n.weight": np.zeros(2)}
    assert strayed_statistics(expected, found) == pytest.approx({"n.running_mean": 0.1, "n.running_var": 0.01})
