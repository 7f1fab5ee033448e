"""Backends that are broken or cheat, and the checks that catch them: proof that the kit bites.

``CHEATS`` names each with the precision it shows in, and the checks that must fail for it. ``examine`` runs every check of
the kit on a backend, so

    python -c "from bench.testing.zoo import CHEATS, examine; print(examine(CHEATS['half the batch']))"

shows what an author of such a backend would be told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.contract import Backend, Settings, Workload
from bench.record.schema import Check
from bench.spec import SGD, BatchNorm, Layer, map_network
from bench.testing import predicting, proof, training
from bench.testing.reference import ReferenceBackend, ReferencePredictor, ReferenceTrainer, rounding
from bench.testing.workloads import BATCH_SIZE, kit_workloads
from bench.testing.zoo import predictors, timed, trainers
from bench.verify.equivalence import Subject, verify


@dataclass(frozen=True)
class Cheat:
    """A backend, and what must catch it."""

    backend: Backend
    caught_by: tuple[str, ...]  # names of checks, all of which fail
    precision: str = "float64"
    workload: str = "kit-residual"


def examine(cheat: Cheat) -> list[Check]:
    """Every check of the kit, in the order of ``BackendConformance``."""
    subject = subject_of(cheat)
    found = verify(subject)
    for group in (training.TRAINING, predicting.PREDICTING):
        for check in group:
            found += check(subject)
    trial = proof.trial_batches(subject)
    return found + proof.timed_training(trial) + proof.timed_predictions(trial)


def subject_of(cheat: Cheat) -> Subject:
    """The cheat on its workload and in its precision."""
    workload = next(workload for workload in kit_workloads() if workload.name == cheat.workload)
    return Subject(cheat.backend, "reference", workload, Settings(cheat.precision, BATCH_SIZE, 1))


def _trainer(kind: type[ReferenceTrainer], *caught_by: str, precision: str = "float64", workload: str = "kit-residual") -> Cheat:
    return Cheat(ReferenceBackend(trainer=kind), caught_by, precision, workload)


def _predictor(kind: type[ReferencePredictor], *caught_by: str) -> Cheat:
    return Cheat(ReferenceBackend(predictor=kind), caught_by)


def _rounds(precision: str, actual: str, *caught_by: str) -> Cheat:
    return Cheat(ReferenceBackend(rounding=lambda asked: rounding(actual if asked == precision else asked)), caught_by, precision)


def _misread(change: Callable[[Workload], Workload], *caught_by: str, precision: str = "float64") -> Cheat:
    return Cheat(ReferenceBackend(misread=change), caught_by, precision)


def _batch_norm(**fields: object) -> Callable[[Workload], Workload]:
    def change(layer: Layer) -> Layer:
        return replace(layer, **fields) if isinstance(layer, BatchNorm) else layer  # type: ignore[arg-type]

    return lambda workload: replace(workload, network=map_network(workload.network, change))


def _optimizer(**fields: object) -> Callable[[Workload], Workload]:
    return lambda workload: replace(workload, optimizer=replace(workload.optimizer, **fields))  # type: ignore[arg-type]


def _constant_rate(workload: Workload) -> Workload:
    schedule = replace(workload.optimizer.schedule, warmup_steps=0, total_steps=None)
    return replace(workload, optimizer=replace(workload.optimizer, schedule=schedule))


def _equal_classes(workload: Workload) -> Workload:
    return replace(workload, loss=replace(workload.loss, class_weights=None))


HONEST = Cheat(ReferenceBackend(), ())
CHEATS: dict[str, Cheat] = {}
