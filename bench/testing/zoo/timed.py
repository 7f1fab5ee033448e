"""Trainers that are honest on the golden batches, as ``bench verify`` sees them, and cheat from there on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.contract import Progress
from bench.spec import Weights, trainable
from bench.testing.reference import ReferenceTrainer, rounding
from bench.testing.zoo.trainers import ForgetsOneTensor
from bench.verify.batches import Images, Labels

GOLDEN_STEPS = 5


class Afterwards(ReferenceTrainer):
    """Honest on the golden batches."""

    @property
    def watched(self) -> bool:
        """Whether these may still be golden batches."""
        return self.oracle.steps < GOLDEN_STEPS


class FakesLosses(Afterwards):
    """Trains, but makes the losses up."""

    def step(self, images: Images, labels: Labels) -> float:
        """Train, and return a plausible, slowly falling number."""
        watched, loss = self.watched, super().step(images, labels)
        return loss if watched else 1.0 / self.oracle.steps


class DoesNothing(Afterwards):
    """Computes neither forward nor backward pass."""

    def step(self, images: Images, labels: Labels) -> float:
        """Return a plausible, slowly falling number, and compute nothing."""
        if self.watched:
            return super().step(images, labels)
        self.oracle.steps += 1
        return 1.0 / self.oracle.steps


class ForwardOnly(Afterwards):
    """Right losses, but the backward pass is left out, and the weights are nudged so that each one moves."""

    def step(self, images: Images, labels: Labels) -> float:
        """Compute the forward pass, a third of the work."""
        if self.watched:
            return super().step(images, labels)
        rng = np.random.default_rng(self.oracle.steps)
        self.oracle.steps += 1
        loss, weights = self.loss(images, labels), self.oracle.weights
        self.oracle.weights = {
            name: w + 1e-4 * rng.standard_normal(w.shape) if trainable(name) else w for name, w in weights.items()
        }
        return loss


class HalfOfLaterBatches(Afterwards):
    """Trains on the first half of every batch."""

    def step(self, images: Images, labels: Labels) -> float:
        """Train on one half of the batch."""
        count = len(labels) if self.watched else len(labels) // 2
        return super().step(images[:count], labels[:count])


class HalfOfOrdinaryBatches(Afterwards):
    """Knows witness batches by their repeated images, works on them as it should, and on half of any other."""

    def step(self, images: Images, labels: Labels) -> float:
        """Train on one half of batches that nobody checks."""
        repeats = len(np.unique(images.reshape(len(images), -1), axis=0)) < len(images)
        count = len(labels) if self.watched or repeats else len(labels) // 2
        return super().step(images[:count], labels[:count])


class FewOfLaterBatches(Afterwards):
    """Notices that a batch repeats its images, and trains on each of them once, with the first label it comes with."""

    def step(self, images: Images, labels: Labels) -> float:
        """Train on each different image once."""
        _, first = np.unique(images.reshape(len(images), -1), axis=0, return_index=True)
        chosen = np.arange(len(labels)) if self.watched else np.sort(first)
        return super().step(images[chosen], labels[chosen])


class CountsRepeats(Afterwards):
    """Notices that a batch is made of copies and trains on one of each with all their labels, which gives the same; else on half."""

    def step(self, images: Images, labels: Labels) -> float:
        """Train on each different image with the labels of all its copies, or on one half of the batch."""
        if self.watched:
            return super().step(images, labels)
        _, first, which = np.unique(images.reshape(len(images), -1), axis=0, return_index=True, return_inverse=True)
        if len(first) == len(images):
            return super().step(images[: len(labels) // 2], labels[: len(labels) // 2])
        order = np.argsort(which, kind="stable").reshape(len(first), -1)  # the copies of each image
        return super().step(images[order[:, 0]], labels[order.T.ravel()])


class FirstStepOfLaterBlocks(Afterwards):
    """Does the first step of each block; the others get its loss, a little lower each."""

    def run(self, block: Sequence[Any]) -> Progress:
        """Take one step, and make up the losses of the others."""
        if self.watched:
            return self.train(block)
        progress = self.train(block[:1])
        losses = progress.losses[0] * np.power(0.99, np.arange(len(block)))
        return Progress(losses.astype(self.kind), progress.witness)


class HonestOnceAsked(DoesNothing):
    """Does nothing while it is timed; once ``weights()`` is called after many steps, when the checks begin, it works again."""

    asked = False

    @property
    def watched(self) -> bool:
        """Whether somebody may check the work."""
        return self.asked or super().watched

    def weights(self) -> Weights:
        """Return the weights, and perhaps be honest from now on."""
        self.asked = self.asked or self.oracle.steps > 4 * GOLDEN_STEPS
        return super().weights()


class RoundsLater(Afterwards):
    """Falls back to bfloat16 operands."""

    def step(self, images: Images, labels: Labels) -> float:
        """Take a step, with bfloat16 operands after the golden batches."""
        if not self.watched:
            self.oracle.arithmetic = rounding("bf16")
        return super().step(images, labels)


class ForgetsOneTensorLater(Afterwards, ForgetsOneTensor):
    """Leaves the last tensor where it is."""

    def step(self, images: Images, labels: Labels) -> float:
        """Update all tensors while golden batches come, then all but one."""
        step = ReferenceTrainer.step if self.watched else ForgetsOneTensor.step
        return step(self, images, labels)
