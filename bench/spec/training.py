"""Loss, optimizers and learning-rate schedules, with their formulas written down."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Softmax cross-entropy, reduced to the *weighted* mean.

    ``loss = sum_i w[y_i] * -log softmax(z_i)[y_i] / sum_i w[y_i]``. Without class weights, the plain mean.
    """

    class_weights: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Linear warm-up, then half a cosine, then constant.

    Steps count from 0. ``peak * (step + 1) / warmup_steps`` while ``step < warmup_steps``; afterwards, with
    ``t = (step - warmup_steps) / (total_steps - warmup_steps)`` held at 1 at most,
    ``final + (peak - final) * (1 + cos(pi * t)) / 2``. Without ``total_steps`` the rate stays at ``peak`` after warm-up.
    """

    peak: float
    warmup_steps: int = 0
    total_steps: int | None = None
    final: float = 0.0

    def at(self, step: int) -> float:
        """The learning rate of optimizer step ``step`` (from 0)."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        if self.total_steps is None:
            return self.peak
        span = max(1, self.total_steps - self.warmup_steps)
        t = min(1.0, (step - self.warmup_steps) / span)
        return self.final + (self.peak - self.final) * (1 + math.cos(math.pi * t)) / 2


@dataclass(frozen=True, slots=True)
class SGD:
    """Stochastic gradient descent; L2 is added to the *gradient*.

    ``g += weight_decay * p; v = momentum * v + g; p -= rate * (g + momentum * v if nesterov else v)``, v starting at 0.
    ``decay_all`` False: the decay touches the weights of Conv2d and Dense only, not biases and BatchNorm.
    """

    schedule: Schedule
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    decay_all: bool = False


@dataclass(frozen=True, slots=True)
class AdamW:
    """Adam with *decoupled* decay (Loshchilov and Hutter, arXiv:1711.05101).

    With t from 1: ``p -= rate * weight_decay * p; m = b1*m + (1-b1)*g; v = b2*v + (1-b2)*g*g;``
    ``p -= rate * (m / (1-b1**t)) / (sqrt(v / (1-b2**t)) + epsilon)``. ``decay_all`` as in SGD.
    """

    schedule: Schedule
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    decay_all: bool = False


Optimizer = SGD | AdamW
