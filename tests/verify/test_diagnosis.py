"""A backend that follows another convention is told which one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backends.torch_lowering import load, lower, numerics, unload
from bench.contract import Progress, Workload
from bench.oracle.model import Oracle
from bench.spec import Dense, trainable
from bench.spec.layers import map_network
from bench.spec.weights import initial_weights
from bench.testing import kit_workloads
from bench.testing.reference import ReferenceBackend, ReferenceTrainer
from bench.testing.zoo import CHEATS, subject_of
from bench.verify.batches import Batch
from bench.verify.diagnosis import ALTERNATIVES, Setup, diagnose
from bench.verify.envelope import fingerprint
from bench.verify.equivalence import verify
from bench.verify.golden import checked_golden

pytestmark = pytest.mark.slow

RESIDUAL, ASSORTED = kit_workloads()
NORMALISED = replace(RESIDUAL, network=replace(RESIDUAL.network, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)))


def follow(workload: Workload, name: str) -> tuple[list[Batch], list[float], list[dict]]:
    """Losses and fingerprints of a training under the alternative called ``name``; () where it does not apply."""
    _, batches = checked_golden(workload)
    setup = Setup(workload, initial_weights(workload.network, workload.seed), batches)
    changed = ALTERNATIVES[name](setup)
    if changed is None or changed.same_as(setup):
        return batches, [], []
    spec = changed.workload
    run = Oracle(spec.network, spec.loss, spec.optimizer, changed.weights, rules=changed.rules)
    losses, prints = [], []
    for batch in changed.batches:
        losses.append(run.step(*batch))
        prints.append(fingerprint(run.weights))
    return batches, losses, prints


@pytest.mark.parametrize("name", ALTERNATIVES)
def test_each_alternative_is_named(name: str):
    told = []
    for workload in (RESIDUAL, ASSORTED):
        if workload.network.height != workload.network.width and name.startswith("height and width exchanged in the images"):
            workload = square(workload)
        batches, losses, prints = follow(workload, name)
        if losses:
            told.append(diagnose(workload, batches, losses, prints))
    assert told
    assert set(told) == {name}


def square(workload: Workload) -> Workload:
    """Only in a square image can height and width be exchanged unnoticed by shapes; Flatten's Dense follows the size."""

    def change(layer):
        return replace(layer, in_features=288) if isinstance(layer, Dense) and layer.in_features == 240 else layer

    return replace(workload, network=map_network(replace(workload.network, width=workload.network.height), change))


@pytest.mark.parametrize("workload", [RESIDUAL, ASSORTED], ids=lambda workload: workload.name)
def test_an_honest_training_is_not_named(workload: Workload):
    _, batches = checked_golden(workload)
    run = Oracle(workload.network, workload.loss, workload.optimizer, initial_weights(workload.network, workload.seed))
    losses, prints = [], []
    for batch in batches:
        losses.append(run.step(*batch))
        prints.append(fingerprint(run.weights))
    assert diagnose(workload, batches, losses, prints) == ""


def test_a_difference_that_shows_late_is_not_taken_for_one_that_changes_nothing():
    """A workload without warm-up: 'learning rate without warm-up' is what it asks for, and explains nothing."""
    workload = replace(
        RESIDUAL, optimizer=replace(RESIDUAL.optimizer, schedule=replace(RESIDUAL.optimizer.schedule, warmup_steps=0))
    )
    _, batches = checked_golden(workload)
    run = Oracle(workload.network, workload.loss, workload.optimizer, initial_weights(workload.network, workload.seed))
    losses, prints = [], []
    for step, batch in enumerate(batches):
        losses.append(run.step(*batch) + (0.1 if step == 4 else 0))
        prints.append(fingerprint(run.weights))
    assert diagnose(workload, batches, losses, prints) == ""


class TorchWithOneGroup(ReferenceTrainer):
    """PyTorch as many people first write it: plain SGD over all parameters, so that the decay touches biases too."""

    def __init__(self, workload, weights, settings, arithmetic):
        super().__init__(workload, weights, settings, arithmetic)
        self.tensors = load(weights, torch.device("cpu"), torch.float64, train=True)
        self.logits = lower(workload.network, self.tensors, numerics("float64"), training=True)
        spec = workload.optimizer
        parameters = [t for name, t in self.tensors.items() if trainable(name)]
        self.optimizer = torch.optim.SGD(
            parameters, lr=1.0, momentum=spec.momentum, nesterov=spec.nesterov, weight_decay=spec.weight_decay
        )
        self.steps = 0

    def train(self, block):
        losses = [self.one(*batch) for batch in block]
        return Progress(
            np.array(losses), sum(float((t.detach() ** 2).sum()) for n, t in self.tensors.items() if trainable(n))
        )

    def one(self, images, labels):
        self.optimizer.param_groups[0]["lr"] = self.workload.optimizer.schedule.at(self.steps)
        self.steps += 1
        weight = torch.tensor(self.workload.loss.class_weights, dtype=torch.float64)
        loss = F.cross_entropy(self.logits(torch.tensor(images)), torch.tensor(labels).long(), weight)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def weights(self):
        return unload(self.tensors)


def test_a_real_framework_with_a_real_mistake_is_told():
    cheat = replace(CHEATS["no update"], backend=ReferenceBackend(trainer=TorchWithOneGroup))
    told = [check.detail for check in verify(subject_of(cheat)) if check.name == "likely convention"]
    assert told == ["the numbers are exactly those of: weight decay on biases and BatchNorm too"]


def test_an_unknown_difference_is_said_to_be_unknown():
    told = [c.detail for c in verify(subject_of(CHEATS["labels shifted against images"])) if c.name == "likely convention"]
    assert told == ["no known difference of convention fits"]


@pytest.mark.parametrize(
    ("cheat", "words"),
    [
        ("epsilon of BatchNorm", "step 1: the forward pass diverges before BatchNorm 'plain.body.first.norm'"),
        ("running variance biased", "step 1: running variances diverge from 'stem.norm' on, means agree"),
        ("no Nesterov", "step 1: the forward pass agrees, but"),
        ("Dense weights transposed", "tensor 'head.weight' has shape (12, 3), expected (3, 12)"),
        ("another framework's names", "tensors missing:"),
    ],
)
def test_the_first_step_and_layer_that_diverge_are_named(cheat: str, words: str):
    found = next(check for check in verify(subject_of(CHEATS[cheat])) if check.name == "weights and statistics")
    assert words in found.detail
