"""An honest backend made of the oracle: slow, exact, and the trunk from which ``bench.testing.zoo`` grows its cheats."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Device, Pending, Probe, Progress, Settings, Workload
from bench.oracle.arithmetic import MANTISSA_BITS, Arithmetic, exact, round_to_bits
from bench.oracle.model import Oracle, predict, training_loss
from bench.spec import Weights
from bench.verify.compare import sum_of_squares


def rounding(precision: str) -> Arithmetic:
    """One honest implementation of a precision: rounds once to nearest, accumulates exactly, draws nothing."""
    if precision == "float64":
        return exact
    result_bits = 8 if precision == "bf16" else 24
    return Arithmetic(
        lambda x: round_to_bits(x, MANTISSA_BITS[precision]),
        lambda x, terms: round_to_bits(x, result_bits),
    )


class ReferenceTrainer:
    """Everything happens in ``run``."""

    lowering = "NumPy oracle"

    def __init__(self, workload: Workload, weights: Weights, settings: Settings, arithmetic: Arithmetic) -> None:
        self.workload, self.settings = workload, settings
        self.kind = np.float64 if settings.precision == "float64" else np.float32
        self.oracle = Oracle(workload.network, workload.loss, workload.optimizer, weights, arithmetic)

    def stage(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> Any:
        """Return what was given: the host is the device."""
        return images, labels

    def run(self, block: Sequence[Any]) -> Pending:
        """Take the steps at once."""
        return self.train(block)

    def train(self, block: Sequence[Any]) -> Progress:
        """Take one step per batch, and return the losses and the witness."""
        return Progress(np.array([self.step(*batch) for batch in block], self.kind), self.witness())

    def step(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> float:
        """Take one step and return its loss; master weights are kept in the precision's own type."""
        loss = self.oracle.step(images, labels)
        self.oracle.weights = {name: np.asarray(w, self.kind).astype(np.float64) for name, w in self.oracle.weights.items()}
        return loss

    def loss(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> float:
        """Return the loss that a step would report, without taking it."""
        network, weights = self.workload.network, self.oracle.weights
        return training_loss(network, self.workload.loss, weights, images, labels, self.oracle.arithmetic)

    def witness(self) -> float:
        """The sum of the weights' squares."""
        return sum_of_squares(self.oracle.weights)

    def wait(self, pending: Pending) -> Progress:
        """Return what ``run`` gave: there is nothing to wait for."""
        progress: Progress = pending
        return progress

    def weights(self) -> Weights:
        """Copies of every tensor."""
        return {name: value.astype(self.kind) for name, value in self.oracle.weights.items()}


class ReferencePredictor:
    """Everything happens in ``run``."""

    lowering = "NumPy oracle"

    def __init__(self, workload: Workload, weights: Weights, settings: Settings, arithmetic: Arithmetic) -> None:
        self.workload, self.settings, self.arithmetic = workload, settings, arithmetic
        self.tensors = {name: np.array(value) for name, value in weights.items()}
        self.kind = np.float64 if settings.precision == "float64" else np.float32

    def stage(self, images: NDArray[np.uint8]) -> Any:
        """Return what was given: the host is the device."""
        return images

    def run(self, staged: Any) -> Pending:
        """Compute the forward pass at once."""
        return self.answer(staged)

    def answer(self, images: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Probabilities (batch, classes)."""
        return predict(self.workload.network, self.tensors, images, self.arithmetic).astype(self.kind)

    def wait(self, pending: Pending) -> NDArray[np.floating]:
        """Return what ``run`` gave: there is nothing to wait for."""
        answer: NDArray[np.floating] = pending
        return answer


class ReferenceBackend:
    """Device ``reference`` with every precision. ``misread`` makes it honest about another workload than was asked for,
    ``rounding`` about another precision."""

    name = "reference"

    def __init__(
        self,
        trainer: type[ReferenceTrainer] = ReferenceTrainer,
        predictor: type[ReferencePredictor] = ReferencePredictor,
        misread: Callable[[Workload], Workload] = lambda workload: workload,
        rounding: Callable[[str], Arithmetic] = rounding,
    ) -> None:
        self._trainer, self._predictor, self._misread, self._rounding = trainer, predictor, misread, rounding

    def probe(self) -> Probe:
        """Return the one device, which is always there."""
        device = Device("reference", "cpu", "", ("float64", "fp32", "tf32", "bf16"), "host")
        return Probe((device,), {"numpy": np.__version__, "python": platform.python_version()})

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> ReferenceTrainer:
        """A trainer made of the oracle."""
        return self._trainer(self._misread(workload), weights, settings, self._rounding(settings.precision))

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> ReferencePredictor:
        """A predictor made of the oracle."""
        return self._predictor(self._misread(workload), weights, settings, self._rounding(settings.precision))
