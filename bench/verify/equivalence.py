"""``bench verify``: train a few steps on the golden batches and hold everything against the golden file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from bench.contract import Backend, Predictor, Settings, Trainer, Workload
from bench.oracle.model import Oracle
from bench.record.schema import Check
from bench.spec import Weights
from bench.spec.tensors import tensor_shapes
from bench.spec.weights import initial_weights
from bench.verify.batches import Batch
from bench.verify.compare import (
    TENSORS,
    Step,
    check_first_step,
    check_losses,
    check_predictions,
    check_tensors,
    check_witness,
    misfit,
    sum_of_squares,
)
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


def verify(subject: Subject, busy: Callable[[], AbstractContextManager[None]] = nullcontext) -> list[Check]:
    """Every check for one backend, device, workload size and precision, in the order they were made.

    ``busy`` is entered while the oracle computes. Raises SpecError where a digest of weights or batches no longer matches the
    golden file.
    """
    with busy():
        golden, batches = checked_golden(subject.workload)
    subject = replace(subject, settings=replace(subject.settings, batch_size=golden.images))
    exact = subject.settings.precision == "float64"
    trained: Weights | None = None
    checks: list[Check] = []
    with busy():
        reference = [] if exact and subject.trains else _oracle_weights(subject.workload, batches)
    if subject.trains:
        training = _train(subject, batches)
        with busy():
            checks += (
                _exact_checks(subject, golden, batches, training)
                if exact
                else _step_checks(subject, golden, training, reference)
            )
        checks.append(check_witness(training.steps, subject.settings.precision))
        checks.append(_block_check(subject, golden, batches))
        trained = None if training.misfit else training.last
    with busy():
        calibrated = calibrated_weights(subject.workload, batches[0])
    checks += _prediction_checks("predictions", subject, golden, calibrated, batches[-1], golden.calibrated, busy)
    # In float64 the backend predicts with the weights it trained; otherwise, and where it cannot train, with the oracle's,
    # because trajectories part in lower precisions.
    if reference or trained is None:
        with busy():
            last = (reference or _oracle_weights(subject.workload, batches))[-1]
        trained = {name: value.astype(np.float64 if exact else np.float32) for name, value in last.items()}
    told = not checks[-1].passed  # once is enough
    after = _prediction_checks("predictions after training", subject, golden, trained, batches[0], golden.predictions, busy)
    return checks + (after[:1] if told else after)


def _oracle_weights(workload: Workload, batches: Sequence[Batch]) -> list[Weights]:
    """After each step of the same training by the oracle."""
    weights = initial_weights(workload.network, workload.seed)
    oracle = Oracle(workload.network, workload.loss, workload.optimizer, weights)
    states: list[Weights] = []
    for batch in batches:
        oracle.step(*batch)
        states = [*states[:1], oracle.weights]  # the first, and the last so far
    return states


@dataclass(frozen=True)
class _Training:
    steps: list[Step]
    first: Weights  # after one step
    last: Weights
    misfit: str  # what is wrong with their names and shapes


def _train(subject: Subject, batches: Sequence[Batch]) -> _Training:
    trainer = subject.trainer()
    shapes = tensor_shapes(subject.workload.network)
    steps = []
    states: list[Weights] = []
    for batch in batches:
        progress = trainer.wait(trainer.run([trainer.stage(*batch)]))
        weights = trainer.weights()
        states = [*states[:1], weights]
        numbers = float(progress.losses[0]), float(progress.witness)
        steps.append(Step(*numbers, fingerprint(weights), sum_of_squares(weights)))
    return _Training(steps, states[0], states[-1], misfit(states[0], shapes) or misfit(states[-1], shapes))


def _exact_checks(subject: Subject, golden: Golden, batches: Sequence[Batch], training: _Training) -> list[Check]:
    steps = training.steps
    checks = [check_losses(golden, [step.loss for step in steps], "float64")]
    checks.append(_misfit_check(training) if training.misfit else check_tensors(golden, steps))
    if not all(check.passed for check in checks):
        checks.append(_diagnosis(subject.workload, batches, steps))
    return checks


def _step_checks(subject: Subject, golden: Golden, training: _Training, reference: Sequence[Weights]) -> list[Check]:
    precision, workload = subject.settings.precision, subject.workload
    checks = [check_losses(golden, [step.loss for step in training.steps], precision)]
    if training.misfit:
        return [*checks, _misfit_check(training)]
    before = initial_weights(workload.network, workload.seed)
    return checks + check_first_step(golden.envelopes[precision], before, reference[0], training.first)


def _misfit_check(training: _Training) -> Check:
    return Check(name=TENSORS, passed=False, detail=training.misfit)


def _diagnosis(workload: Workload, batches: Sequence[Batch], steps: list[Step]) -> Check:
    from bench.verify.diagnosis import diagnose

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


def _prediction_checks(
    name: str,
    subject: Subject,
    golden: Golden,
    weights: Weights,
    batch: Batch,
    expected: list[list[float]],
    busy: Callable[[], AbstractContextManager[None]],
) -> list[Check]:
    """What a predictor with these weights says of a batch, against ``expected`` probabilities of the golden file; and where that is
    something else, why."""
    precision, predictor = subject.settings.precision, subject.predictor(weights)
    found = predictor.wait(predictor.run(predictor.stage(batch[0])))
    allowed = FLOAT64_TOLERANCE if precision == "float64" else golden.envelopes[precision].predictions
    check = check_predictions(name, found, np.asarray(expected), allowed)
    if check.passed:
        return [check]
    from bench.verify.prediction_diagnosis import diagnose_predictions

    return [check, diagnose_predictions(subject, weights, batch[0], found, busy)]
