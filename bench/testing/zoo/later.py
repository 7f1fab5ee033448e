"""Trainers that are honest on the golden batches and wrong in some of what later steps do: losses mostly right, updates not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.contract import Progress
from bench.oracle.arithmetic import Arithmetic, Array, round_to_bits
from bench.oracle.model import Oracle
from bench.spec import Weights, trainable
from bench.testing.reference import rounding
from bench.testing.zoo.timed import GOLDEN_STEPS, Afterwards
from bench.verify.batches import Images, Labels
from bench.verify.pace import PROVEN_STEPS


def integers(bits: int = 8) -> Arithmetic:
    """Operands as signed integers with one scale for each tensor, as post-training quantisation has them; sums are exact."""
    levels = 2 ** (bits - 1) - 1

    def operand(x: Array) -> Array:
        scale = float(np.abs(x).max()) / levels or 1.0
        return np.asarray(np.round(x / scale) * scale)

    return Arithmetic(operand)


def eights() -> Arithmetic:
    """Operands as 8-bit floats, three bits of fraction (E4M3 of arXiv:2209.05433), scaled to their range; sums are exact."""
    return Arithmetic(lambda x: round_to_bits(x, 4))


class HalfOfLaterSteps(Afterwards):
    """The first step of each block on the whole batch, the others on its first half."""

    def train(self, block: Sequence[Any]) -> Progress:
        """Take the first step as it should be, and half of each other one."""
        if self.watched:
            return super().train(block)
        halves = [(images[: len(labels) // 2], labels[: len(labels) // 2]) for images, labels in block[1:]]
        return super().train([*block[:1], *halves])


class HalfOfLongBlocks(HalfOfLaterSteps):
    """The same in blocks that are longer than any that is replayed."""

    def train(self, block: Sequence[Any]) -> Progress:
        """Be honest in short blocks."""
        return super().train(block) if len(block) > PROVEN_STEPS else Afterwards.train(self, block)


class HalfUntilChecked(Afterwards):
    """Half of each batch, until weights are asked for after many steps: then checks have begun, and it works as it should."""

    checked = False

    def weights(self) -> Weights:
        """Return the weights, and perhaps be honest from now on."""
        self.checked = self.checked or self.oracle.steps > 4 * GOLDEN_STEPS
        return super().weights()

    def step(self, images: Images, labels: Labels) -> float:
        """Train on one half of the batch while nobody checks."""
        count = len(labels) if self.watched or self.checked else len(labels) // 2
        return super().step(images[:count], labels[:count])


class OtherGradient(Afterwards):
    """The loss is the batch's; the gradient is something else."""

    def step(self, images: Images, labels: Labels) -> float:
        """Take a step along another gradient."""
        if self.watched:
            return super().step(images, labels)
        loss, gradient, statistics = self.oracle.look(images, labels)
        self.oracle.move(self.gradient(gradient, images, labels), self.statistics(statistics))
        return loss

    def gradient(self, right: Mapping[str, Array], images: Images, labels: Labels) -> Mapping[str, Array]:
        """What the step follows instead of the ``right`` gradient."""
        return right

    def statistics(self, right: Mapping[str, Array]) -> Mapping[str, Array]:
        """What the running statistics become instead of the ``right`` ones."""
        return right


class FrozenPart(OtherGradient):
    """No backward pass for the first quarter of the tensors: their momentum runs out."""

    def gradient(self, right: Mapping[str, Array], images: Images, labels: Labels) -> Mapping[str, Array]:
        """Leave the tensors next to the input out."""
        frozen = set(list(filter(trainable, self.oracle.weights))[: len(right) // 4])
        return {name: np.zeros_like(value) if name in frozen else value for name, value in right.items()}


class MissingExchange(OtherGradient):
    """The loss of the whole batch, the gradient of its first half: two ranks that never exchange theirs."""

    def gradient(self, right: Mapping[str, Array], images: Images, labels: Labels) -> Mapping[str, Array]:
        """Return the first rank's gradient."""
        half = len(labels) // 2
        return self.oracle.look(images[:half], labels[:half])[1]


class EverySecondImage(OtherGradient):
    """The loss of the whole batch, the gradient of every second image."""

    def gradient(self, right: Mapping[str, Array], images: Images, labels: Labels) -> Mapping[str, Array]:
        """Return the gradient of one half."""
        return self.oracle.look(images[::2], labels[::2])[1]


class CoarseBackward(OtherGradient):
    """The forward pass in the precision that was asked for, the backward pass with bf16 operands."""

    bits = "bf16"

    def gradient(self, right: Mapping[str, Array], images: Images, labels: Labels) -> Mapping[str, Array]:
        """Return the gradient of coarser arithmetic."""
        network, loss, optimizer = self.workload.network, self.workload.loss, self.workload.optimizer
        coarse = Oracle(network, loss, optimizer, self.oracle.weights, rounding(self.bits))
        return coarse.look(images, labels)[1]


class Tf32Backward(CoarseBackward):
    """The backward pass with tf32 operands."""

    bits = "tf32"


class StaleGradient(OtherGradient):
    """Every step follows the gradient of the step before, so that forward and backward passes can overlap."""

    last: Mapping[str, Array] | None = None

    def gradient(self, right: Mapping[str, Array], images: Images, labels: Labels) -> Mapping[str, Array]:
        """Return the last gradient, and keep this one."""
        self.last, before = right, self.last
        return right if before is None else before


class SignsOnly(OtherGradient):
    """Gradients compressed to their signs and one size for each tensor (1-bit exchange)."""

    def gradient(self, right: Mapping[str, Array], images: Images, labels: Labels) -> Mapping[str, Array]:
        """Return what one bit for each element leaves."""
        return {name: np.sign(value) * np.abs(value).mean() for name, value in right.items()}


class SparseGradient(OtherGradient):
    """Only the largest tenth of each tensor's gradient is used."""

    def gradient(self, right: Mapping[str, Array], images: Images, labels: Labels) -> Mapping[str, Array]:
        """Return the gradient with its smaller elements left out."""
        return {
            name: np.where(np.abs(value) >= np.quantile(np.abs(value), 0.9), value, 0.0) for name, value in right.items()
        }


class IntegerGradient(OtherGradient):
    """Gradients rounded to eight bits before they are used."""

    def gradient(self, right: Mapping[str, Array], images: Images, labels: Labels) -> Mapping[str, Array]:
        """Return the rounded gradient."""
        whole = integers()
        return {name: whole.operand(value) for name, value in right.items()}


class NoStatistics(OtherGradient):
    """BatchNorm's running statistics stay as they are."""

    def statistics(self, right: Mapping[str, Array]) -> Mapping[str, Array]:
        """Return none."""
        return {}


class EverySecondUpdate(OtherGradient):
    """Updates in every second step only."""

    def step(self, images: Images, labels: Labels) -> float:
        """Compute the loss only, every second time."""
        if self.watched or self.oracle.steps % 2:
            return super().step(images, labels)
        self.oracle.steps += 1
        return self.loss(images, labels)


class ForgetsMomentum(Afterwards):
    """Every block begins with an optimizer that remembers nothing."""

    def train(self, block: Sequence[Any]) -> Progress:
        """Begin anew, and train."""
        if not self.watched:
            old, spec = self.oracle, self.workload
            self.oracle = Oracle(spec.network, spec.loss, spec.optimizer, old.weights, old.arithmetic)
            self.oracle.steps = old.steps
        return super().train(block)
