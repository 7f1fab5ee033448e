"""``bench verify``: train a few steps on the golden batches and hold everything against the golden file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from bench.contract import Backend, Predictor, Settings, Trainer, Workload
from bench.oracle import Oracle
from bench.record.schema import Check
from bench.spec import Weights, initial_weights, tensor_shapes
from bench.verify.batches import Batch
from bench.verify.compare import Step, check_losses, check_predictions, check_tensors, check_witness, misfit, sum_of_squares
from bench.verify.diagnosis import diagnose
from bench.verify.envelope import FLOAT64_TOLERANCE, fingerprint
from bench.verify.golden import Golden, calibrated_weights, checked_golden

T = TypeVar("T")


@dataclass(frozen=True)
class Subject:
    """What is being verified."""

    backend: Backend
    device: str
    workload: Workload
    settings: Settings
    trains: bool = True

    def trainer(self) -> Trainer:
        """A compiled trainer from the workload's initial weights."""
        weights = initial_weights(self.workload.network, self.workload.seed)
        return compiled(self.backend.trainer(self.workload, weights, self.device, self.settings))

    def predictor(self, weights: Weights) -> Predictor:
        """A compiled predictor."""
        return compiled(self.backend.predictor(self.workload, weights, self.device, self.settings))


def compiled(made: T) -> T:
    """``made``, its executables built where the backend has such a stage."""
    compile_ = getattr(made, "compile", None)
    if compile_ is not None:
        compile_()
    return made


def verify(subject: Subject) -> list[Check]:
    """Every check for one backend, device, workload size and precision, in the order they were made.

    Raises SpecError where a digest of weights or batches no longer matches the golden file.
    """
    golden, batches = checked_golden(subject.workload)
    subject = replace(subject, settings=replace(subject.settings, batch_size=golden.images))
    checks: list[Check] = []
    weights: Weights | None = None
    if subject.trains:
        steps, weights = _train(subject, batches)
        checks += _training_checks(subject, golden, batches, steps)
        if any(step.misfit for step in steps):
            weights = None
    checks.append(_calibrated_check(subject, golden, batches))
    checks.append(_trained_check(subject, golden, batches, weights))
    return checks


def _train(subject: Subject, batches: Sequence[Batch]) -> tuple[list[Step], Weights]:
    trainer = subject.trainer()
    shapes = tensor_shapes(subject.workload.network)
    steps = []
    weights: Weights = {}
    for batch in batches:
        progress = trainer.wait(trainer.run([trainer.stage(*batch)]))
        weights = trainer.weights()
        numbers = float(progress.losses[0]), float(progress.witness)
        steps.append(Step(*numbers, fingerprint(weights), sum_of_squares(weights), misfit(weights, shapes)))
    return steps, weights


def _training_checks(subject: Subject, golden: Golden, batches: Sequence[Batch], steps: list[Step]) -> list[Check]:
    precision = subject.settings.precision
    checks = [check_losses(golden, [step.loss for step in steps], precision), check_tensors(golden, steps, precision)]
    if precision == "float64" and not all(check.passed for check in checks):
        checks.append(_diagnosis(subject.workload, batches, steps))
    checks.append(check_witness(steps, precision))
    checks.append(_block_check(subject, golden, batches))
    return checks


def _diagnosis(workload: Workload, batches: Sequence[Batch], steps: list[Step]) -> Check:
    likely = diagnose(workload, batches, [step.loss for step in steps], [step.fingerprint for step in steps])
    detail = f"the numbers are exactly those of: {likely}" if likely else "no known difference of convention fits"
    return Check(name="likely convention", passed=False, detail=detail)


def _block_check(subject: Subject, golden: Golden, batches: Sequence[Batch]) -> Check:
    """All steps as one block: the curve must not depend on how steps are grouped."""
    trainer = subject.trainer()
    progress = trainer.wait(trainer.run([trainer.stage(*batch) for batch in batches]))
    losses = [float(loss) for loss in progress.losses]
    if len(losses) != len(batches):
        return Check(name="one block", passed=False, detail=f"{len(losses)} losses for {len(batches)} steps")
    return check_losses(golden, losses, subject.settings.precision, "one block")


def _allowed(golden: Golden, precision: str) -> float:
    return FLOAT64_TOLERANCE if precision == "float64" else golden.envelopes[precision].predictions


def _calibrated_check(subject: Subject, golden: Golden, batches: Sequence[Batch]) -> Check:
    predictor = subject.predictor(calibrated_weights(subject.workload, batches[0]))
    found = predictor.wait(predictor.run(predictor.stage(batches[-1][0])))
    return check_predictions(
        "predictions", found, np.asarray(golden.calibrated), _allowed(golden, subject.settings.precision)
    )


def _trained_check(subject: Subject, golden: Golden, batches: Sequence[Batch], trained: Weights | None) -> Check:
    """Predictions with the weights after training. In float64 the backend's own weights; otherwise, and for a backend
    that cannot train, the oracle's, because trajectories part in lower precisions."""
    precision = subject.settings.precision
    if trained is None or precision != "float64":
        workload = subject.workload
        weights = initial_weights(workload.network, workload.seed)
        oracle = Oracle(workload.network, workload.loss, workload.optimizer, weights)
        for batch in batches:
            oracle.step(*batch)
        kind = np.float64 if precision == "float64" else np.float32
        trained = {name: value.astype(kind) for name, value in oracle.weights.items()}
    predictor = subject.predictor(trained)
    found = predictor.wait(predictor.run(predictor.stage(batches[0][0])))
    return check_predictions(
        "predictions after training", found, np.asarray(golden.predictions), _allowed(golden, precision)
    )
