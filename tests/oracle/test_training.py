"""Whole trainings by the oracle: against torch.optim in float64, and the identities that the proofs rest on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bench.contract import Workload
from bench.oracle.arithmetic import MANTISSA_BITS, round_to_bits, rounded
from bench.oracle.model import Oracle, batch_statistics, gradients, predict, training_loss
from bench.oracle.rules import cross_entropy
from bench.spec import SGD, AdamW, CrossEntropy, Optimizer, Schedule, decays, trainable
from bench.spec.weights import initial_weights
from bench.testing import kit_workloads
from bench.verify.batches import Batch, golden_batches, tile

RESIDUAL, ASSORTED = kit_workloads()
STEPS = 6
RATE = Schedule(0.03, warmup_steps=2, total_steps=20)


def batches(workload: Workload, images: int = 8) -> list[Batch]:
    return golden_batches(workload.network, STEPS, images, "training")


def torch_sgd(spec: SGD) -> Callable[..., torch.optim.Optimizer]:
    return lambda groups: torch.optim.SGD(groups, lr=1.0, momentum=spec.momentum, nesterov=spec.nesterov)


def torch_adamw(spec: AdamW) -> Callable[..., torch.optim.Optimizer]:
    return lambda groups: torch.optim.AdamW(groups, lr=1.0, betas=(spec.beta1, spec.beta2), eps=spec.epsilon)


@pytest.mark.parametrize(
    "spec",
    [
        SGD(RATE, momentum=0.0),
        SGD(RATE, momentum=0.9, weight_decay=0.01),
        SGD(RATE, momentum=0.8, nesterov=True, weight_decay=0.02, decay_all=True),
        AdamW(RATE),
        AdamW(RATE, beta1=0.8, beta2=0.95, epsilon=1e-6, weight_decay=0.1, decay_all=True),
    ],
    ids=str,
)
def test_optimizers_are_those_of_torch(spec: Optimizer):
    """torch.optim fed with the oracle's own gradients, so that nothing but the update is compared."""
    workload = replace(RESIDUAL, optimizer=spec)
    weights = initial_weights(workload.network, 3)
    run = Oracle(workload.network, workload.loss, spec, weights)
    theirs = {name: torch.tensor(w, dtype=torch.float64) for name, w in run.weights.items() if trainable(name)}
    decayed = set(theirs) if spec.decay_all else decays(workload.network)
    groups = [
        {"params": [w for n, w in theirs.items() if n in decayed], "weight_decay": spec.weight_decay},
        {"params": [w for n, w in theirs.items() if n not in decayed], "weight_decay": 0.0},
    ]
    make = torch_sgd(spec) if isinstance(spec, SGD) else torch_adamw(spec)
    optimizer = make([group for group in groups if group["params"]])
    for step, batch in enumerate(batches(workload)):
        found = gradients(workload.network, workload.loss, run.weights, *batch)
        for group in optimizer.param_groups:
            group["lr"] = spec.schedule.at(step)
        for name, w in theirs.items():
            w.grad = torch.tensor(found[name])
        optimizer.step()
        run.step(*batch)
        for name, w in theirs.items():
            np.testing.assert_allclose(run.weights[name], w.numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 4.0), (0.5, 0.0, 3.0)])
def test_loss_is_that_of_torch(weights: tuple[float, ...] | None):
    logits = np.random.default_rng(0).normal(0, 30, (7, 3))
    labels = np.array([0, 1, 2, 2, 1, 0, 2], np.int32)
    loss, gradient = cross_entropy(CrossEntropy(weights), logits, labels)
    theirs = torch.tensor(logits, requires_grad=True)
    expected = F.cross_entropy(
        theirs,
        torch.tensor(labels, dtype=torch.int64),
        None if weights is None else torch.tensor(weights, dtype=torch.float64),
    )
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-13)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("workload", [RESIDUAL, ASSORTED], ids=lambda workload: workload.name)
@pytest.mark.parametrize("copies", [2, 3])
def test_a_batch_repeated_gives_the_same_losses_and_weights(workload: Workload, copies: int):
    """The identity that lets one golden curve hold for every batch size (``bench.verify.batches``)."""
    weights = initial_weights(workload.network, 0)
    once, many = (Oracle(workload.network, workload.loss, workload.optimizer, weights) for _ in range(2))
    for batch in batches(workload):
        assert many.step(*tile(batch, copies * len(batch[1]))) == pytest.approx(once.step(*batch), rel=1e-12)
    for name, value in once.weights.items():
        if not name.endswith("running_var"):  # alone depends on the count, through n - 1
            np.testing.assert_allclose(many.weights[name], value, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("workload", [RESIDUAL, ASSORTED], ids=lambda workload: workload.name)
def test_copies_with_labels_of_their_own(workload: Workload):
    """The identity behind witness batches: few images, many labels, one loss and one gradient."""
    images, _ = batches(workload)[0]
    labels = np.random.default_rng(4).integers(0, 3, 24).astype(np.int32)
    arguments = (workload.network, workload.loss, initial_weights(workload.network, 0))
    whole = np.tile(images, (3, 1, 1, 1))
    few = training_loss(*arguments, images, labels)
    assert few == pytest.approx(training_loss(*arguments, whole, labels), rel=1e-12)
    expected = gradients(*arguments, whole, labels)
    for name, gradient in gradients(*arguments, images, labels).items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-8, atol=1e-12)
    order = np.random.default_rng(5).permutation(24)
    assert training_loss(*arguments, whole[order], labels[order]) == pytest.approx(few, rel=1e-12)


def test_the_reported_loss_is_that_before_the_step():
    weights = initial_weights(RESIDUAL.network, 0)
    run = Oracle(RESIDUAL.network, RESIDUAL.loss, RESIDUAL.optimizer, weights)
    for batch in batches(RESIDUAL):
        before = dict(run.weights)
        loss = run.step(*batch)
        assert loss == training_loss(RESIDUAL.network, RESIDUAL.loss, before, *batch)


def test_training_learns():
    run = Oracle(RESIDUAL.network, RESIDUAL.loss, RESIDUAL.optimizer, initial_weights(RESIDUAL.network, 0))
    batch = batches(RESIDUAL)[0]
    losses = [run.step(*batch) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]


def test_predictions_are_probabilities_of_each_image_alone():
    weights = batch_statistics(RESIDUAL.network, initial_weights(RESIDUAL.network, 0), batches(RESIDUAL)[0][0])
    images = batches(RESIDUAL)[1][0]
    together = predict(RESIDUAL.network, weights, images)
    np.testing.assert_allclose(together.sum(1), 1, rtol=1e-12)
    alone = np.concatenate([predict(RESIDUAL.network, weights, images[i : i + 1]) for i in range(len(images))])
    np.testing.assert_allclose(alone, together, rtol=1e-12)


@pytest.mark.parametrize("precision", MANTISSA_BITS)
def test_rounding_keeps_so_many_bits(precision: str):
    bits = MANTISSA_BITS[precision]
    x = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(-500, 500)[:1000].clip(-30, 30)
    found = round_to_bits(x, bits)
    assert np.abs(found / x - 1).max() <= 2.0**-bits
    np.testing.assert_array_equal(round_to_bits(found, bits), found)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}.get(precision)
    if dtype is not None:
        np.testing.assert_array_equal(found, torch.tensor(x).to(dtype).double().numpy())


def test_rounding_models_differ_by_draw_and_stray_with_precision():
    weights, batch = initial_weights(RESIDUAL.network, 0), batches(RESIDUAL)[0]
    arguments = (RESIDUAL.network, RESIDUAL.loss, weights, *batch)
    truth = training_loss(*arguments)
    strayed = {
        precision: [abs(training_loss(*arguments, rounded(precision, draw)) - truth) for draw in range(3)]
        for precision in MANTISSA_BITS
    }
    assert all(len(set(values)) == 3 for values in strayed.values())
    assert 0 < max(strayed["fp32"]) < min(strayed["tf32"]) < 2 * max(strayed["bf16"])
    assert training_loss(*arguments, rounded("bf16", 1)) == training_loss(*arguments, rounded("bf16", 1))
