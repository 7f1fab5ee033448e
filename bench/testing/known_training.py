"""A short training whose losses are known: what the oracle makes of some batches in some order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.contract import Progress, Workload
from bench.oracle.model import Oracle
from bench.record.schema import Check
from bench.spec import Weights
from bench.spec.weights import initial_weights
from bench.verify.batches import Batch
from bench.verify.compare import worst
from bench.verify.envelope import FLOAT64_TOLERANCE, envelope_of_training
from bench.verify.golden import batches_of, workload_digest

DRAWS = 3
BATCHES = 6


@dataclass(frozen=True)
class KnownTraining:
    """Batches in the order they are trained on, each step's loss, and how far an honest device may stray from it."""

    batches: tuple[Batch, ...]
    losses: tuple[float, ...]
    allowed: tuple[float, ...]

    def check(self, name: str, found: Sequence[float] | NDArray[np.floating], start: int = 0) -> Check:
        """Losses found for the steps from ``start`` on."""
        given = np.asarray(found, np.float64).ravel()
        truth, allowed = (np.asarray(v[start : start + given.size]) for v in (self.losses, self.allowed))
        if given.size != truth.size or not given.size:
            return Check(name=name, passed=False, detail=f"{given.size} losses for {len(self.losses) - start} steps")
        return worst(
            name,
            np.abs(given - truth),
            allowed,
            lambda i: f"step {start + i + 1}: loss {given[i]:.9g}, expected {truth[i]:.9g}",
        )


def losses_of(*blocks: Progress) -> list[float]:
    """The losses of some blocks, one after another."""
    return [float(loss) for block in blocks for loss in np.asarray(block.losses).ravel()]


def copies(batches: Sequence[Batch]) -> list[Batch]:
    """Fresh host arrays with the same contents."""
    return [(images.copy(), labels.copy()) for images, labels in batches]


def make_course(workload: Workload, precision: str, order: Sequence[int], batch_size: int) -> KnownTraining:
    """A training on the batches 0 to 5 in the given order, which may repeat some."""
    key = workload_digest(workload), precision, tuple(order), batch_size
    if key not in _made:
        _made[key] = _make(workload, precision, order, batch_size)
    return _made[key]


_made: dict[tuple[str, str, tuple[int, ...], int], KnownTraining] = {}


def _make(workload: Workload, precision: str, order: Sequence[int], batch_size: int) -> KnownTraining:
    base = batches_of(workload, BATCHES, batch_size)
    batches = [base[index] for index in order]
    run = Oracle(workload.network, workload.loss, workload.optimizer, initial_weights(workload.network, workload.seed))
    losses = [run.step(*batch) for batch in batches]
    if precision == "float64":
        allowed = [FLOAT64_TOLERANCE * max(1.0, abs(loss)) for loss in losses]
    else:
        first: Weights = run.weights  # only the losses' envelope is used
        allowed = envelope_of_training(workload, batches, losses, first, precision, DRAWS).losses
    return KnownTraining(tuple(batches), tuple(losses), tuple(allowed))
