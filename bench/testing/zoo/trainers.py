"""Trainers that break the contract, each in one way and always. The honest trunk is ``bench.testing.reference``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.contract import Progress, Settings, Workload
from bench.oracle.arithmetic import Arithmetic
from bench.oracle.model import Oracle
from bench.oracle.rules import Rules
from bench.spec import Weights
from bench.spec.tensors import tensor_shapes
from bench.spec.weights import initial_weights
from bench.testing.reference import ReferenceTrainer
from bench.verify.batches import Images, Labels
from bench.verify.variants import COUPLED, DECOUPLED

# ---- waiting ---------------------------------------------------------------------------------------------------------


class _PutsOff(ReferenceTrainer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.owed: list[Any] = []

    def weights(self) -> Weights:
        """Return the weights after all steps: what was put off is done now, so that nobody sees it."""
        self.catch_up()
        return super().weights()

    def catch_up(self) -> None:
        """Take the steps that were put off."""
        for batch in self.owed:
            self.step(*batch)
        self.owed = []


class NeverWaits(_PutsOff):
    """``run`` enqueues, ``wait`` does not wait: the work is done when ``weights()`` or the next ``run`` asks for it."""

    def run(self, block: Sequence[Any]) -> int:
        """Remember the block, and compute nothing yet."""
        self.catch_up()
        self.owed = list(block)
        return len(block)

    def wait(self, pending: int) -> Progress:
        """Return numbers that are not there yet."""
        return Progress(np.full(pending, np.nan, self.kind), self.witness())


class WaitsForTheBlockBefore(ReferenceTrainer):
    """``wait`` returns when the previous block is done, with the previous block's numbers."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.last = Progress(np.zeros(1, self.kind), self.witness())

    def wait(self, pending: Progress) -> Progress:
        """Return the previous block's numbers."""
        self.last, before = pending, self.last
        return before


class LeavesTheLastUpdate(_PutsOff):
    """Right losses, but ``wait`` returns before the last update of the block: the next call makes up for it."""

    def run(self, block: Sequence[Any]) -> Progress:
        """Take all steps but the last, of which only the loss is computed."""
        self.catch_up()
        losses = [self.step(*batch) for batch in block[:-1]]
        losses.append(self.loss(*block[-1]))
        self.owed = [block[-1]]
        return Progress(np.array(losses, self.kind), self.witness())


class OneSlot(ReferenceTrainer):
    """One buffer for results: with two blocks in flight, the first is told the second's losses."""

    def run(self, block: Sequence[Any]) -> None:
        """Put the numbers into the only slot."""
        self.slot = self.train(block)

    def wait(self, pending: None) -> Progress:
        """Return whatever is in the slot."""
        return self.slot


# ---- batches ---------------------------------------------------------------------------------------------------------


class RemembersBatches(ReferenceTrainer):
    """Has an answer ready for every batch it has seen before."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: dict[bytes, float] = {}

    def step(self, images: Images, labels: Labels) -> float:
        """Look the losses of known batches up."""
        key = images.tobytes() + labels.tobytes()
        if key not in self.seen:
            self.seen[key] = super().step(images, labels)
        return self.seen[key]


class LastBatchOnly(ReferenceTrainer):
    """Static buffers: every step of a block reads the batch that was staged last."""

    def run(self, block: Sequence[Any]) -> Progress:
        """Train on the last batch, as a captured graph does whose input buffer is overwritten before it is replayed."""
        return self.train([block[-1]] * len(block))


class OneStaticBuffer(ReferenceTrainer):
    """Copies every batch into the same buffer, whether or not the one in there has been used."""

    buffer: tuple[Images, Labels] | None = None

    def stage(self, images: Images, labels: Labels) -> Any:
        """Copy the batch over the previous one."""
        if self.buffer is None:
            self.buffer = images.copy(), labels.copy()
        np.copyto(self.buffer[0], images)
        np.copyto(self.buffer[1], labels)
        return self.buffer


class BackwardsBlocks(ReferenceTrainer):
    """Runs the steps of a block in reverse order, and hands their losses back in the order asked for."""

    def run(self, block: Sequence[Any]) -> Progress:
        """Train in reverse order."""
        progress = self.train(block[::-1])
        return Progress(progress.losses[::-1], progress.witness)


class FirstStepOfBlock(ReferenceTrainer):
    """Does the first step of each block and repeats its loss for the others."""

    def run(self, block: Sequence[Any]) -> Progress:
        """Take one step, and repeat its loss."""
        progress = self.train(block[:1])
        return Progress(np.repeat(progress.losses, len(block)), progress.witness)


class ShiftedLabels(ReferenceTrainer):
    """Trains on images with the labels of their neighbours."""

    def step(self, images: Images, labels: Labels) -> float:
        """Train with the labels moved by one image."""
        return super().step(images, np.roll(labels, 1))


class HalfTheBatch(ReferenceTrainer):
    """Trains on the first half of every batch."""

    def step(self, images: Images, labels: Labels) -> float:
        """Train on one half of the batch."""
        half = len(labels) // 2
        return super().step(images[:half], labels[:half])


class UsesUpHostArrays(ReferenceTrainer):
    """Works in the caller's own memory."""

    def step(self, images: Images, labels: Labels) -> float:
        """Train, and set the images to zero."""
        loss = super().step(images, labels)
        images[:] = 0
        return loss


# ---- weights ---------------------------------------------------------------------------------------------------------


class NoUpdate(ReferenceTrainer):
    """Right loss, no backward pass, no update."""

    def step(self, images: Images, labels: Labels) -> float:
        """Compute the loss only."""
        return self.loss(images, labels)


class ForgetsOneTensor(ReferenceTrainer):
    """Updates every tensor but the last."""

    def step(self, images: Images, labels: Labels) -> float:
        """Train, and put the last tensor back."""
        name = list(self.oracle.weights)[-1]
        kept = self.oracle.weights[name]
        loss = super().step(images, labels)
        self.oracle.weights = self.oracle.weights | {name: kept}
        return loss


class LiveWeights(ReferenceTrainer):
    """Hands out its own arrays instead of copies."""

    def weights(self) -> Weights:
        """Return the trainer's own arrays."""
        return self.oracle.weights


class TransposedDense(ReferenceTrainer):
    """Gives Dense weights as (in, out)."""

    def weights(self) -> Weights:
        """Return Dense weights as (in, out)."""
        return {name: w.T.copy() if w.ndim == 2 else w for name, w in super().weights().items()}


class KernelsLast(ReferenceTrainer):
    """Gives convolution kernels as HWIO."""

    def weights(self) -> Weights:
        """Return kernels as HWIO."""
        return {name: w.transpose(2, 3, 1, 0).copy() if w.ndim == 4 else w for name, w in super().weights().items()}


class OwnNames(ReferenceTrainer):
    """Gives tensors under another framework's names."""

    def weights(self) -> Weights:
        """Return the weights, with ``gamma`` for BatchNorm's ``weight``."""
        shapes = tensor_shapes(self.workload.network)
        return {
            name.replace("norm.weight", "norm.gamma") if len(shapes[name]) == 1 else name: value
            for name, value in super().weights().items()
        }


class OwnInitialisation(ReferenceTrainer):
    """Starts from the workload's initial weights whatever it is given."""

    def __init__(self, workload: Workload, weights: Weights, settings: Settings, arithmetic: Arithmetic) -> None:
        super().__init__(workload, initial_weights(workload.network, workload.seed), settings, arithmetic)


class TrainsTheCallersWeights(ReferenceTrainer):
    """Keeps the caller's arrays and updates them in place."""

    def __init__(self, workload: Workload, weights: Weights, settings: Settings, arithmetic: Arithmetic) -> None:
        super().__init__(workload, weights, settings, arithmetic)
        self.given = weights

    def step(self, images: Images, labels: Labels) -> float:
        """Train, and write the result into the caller's arrays, as a framework that shares memory with NumPy does."""
        loss = super().step(images, labels)
        for name, value in self.oracle.weights.items():
            self.given[name][...] = value
        return loss


class SharedState(ReferenceTrainer):
    """One set of weights for all trainers alive, as with variables in a global registry."""

    registry: ClassVar[dict[str, NDArray[np.float64]]] = {}

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.registry.clear()
        self.registry.update(self.oracle.weights)

    def step(self, images: Images, labels: Labels) -> float:
        """Train on the weights of the registry."""
        self.oracle.weights = dict(self.registry)
        loss = super().step(images, labels)
        self.registry.update(self.oracle.weights)
        return loss


# ---- formulas --------------------------------------------------------------------------------------------------------


class _OtherRules(ReferenceTrainer):
    rules: Rules

    def __init__(self, workload: Workload, weights: Weights, settings: Settings, arithmetic: Arithmetic) -> None:
        super().__init__(workload, weights, settings, arithmetic)
        parts = (workload.network, workload.loss, workload.optimizer, weights, arithmetic)
        self.oracle = Oracle(*parts, rules=self.rules)


class DecoupledSgd(_OtherRules):
    """SGD whose decay does not pass through the momentum."""

    rules = DECOUPLED


class CoupledAdam(_OtherRules):
    """Adam with L2 in the gradient, called AdamW."""

    rules = COUPLED
