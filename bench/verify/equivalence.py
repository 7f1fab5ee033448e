"""``bench verify``: train a few steps on the golden batches and hold everything against the golden file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.contract import Backend, Predictor, Settings, Trainer, Workload
from bench.oracle import Oracle
from bench.record.schema import Check
from bench.spec import Weights, initial_weights, trainable
from bench.verify.batches import Batch
from bench.verify.diagnosis import diagnose
from bench.verify.golden import FLOAT64_TOLERANCE, FLOOR, Golden, calibrated_weights, checked_golden, fingerprint

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
    checks.append(_calibrated_check(subject, golden, batches))
    checks.append(_trained_check(subject, golden, batches, weights))
    return checks


@dataclass(frozen=True)
class Step:
    """One optimizer step as the backend reported it."""

    loss: float
    witness: float
    fingerprint: dict[str, tuple[float, float]]
    squares: float  # sum of squares of the trained tensors, from ``weights()``


def _train(subject: Subject, batches: Sequence[Batch]) -> tuple[list[Step], Weights]:
    trainer = subject.trainer()
    steps = []
    weights: Weights = {}
    for batch in batches:
        progress = trainer.wait(trainer.run([trainer.stage(*batch)]))
        weights = trainer.weights()
        squares = sum(float(np.sum(np.square(w, dtype=np.float64))) for n, w in weights.items() if trainable(n))
        steps.append(Step(float(progress.losses[0]), progress.witness, fingerprint(weights), squares))
    return steps, weights


def _training_checks(subject: Subject, golden: Golden, batches: Sequence[Batch], steps: list[Step]) -> list[Check]:
    checks = [check_losses(golden, [step.loss for step in steps], subject.settings.precision)]
    if subject.settings.precision == "float64":
        checks.append(_tensor_check(golden, steps))
        if not all(check.passed for check in checks):
            checks.append(_diagnosis(subject.workload, batches, steps))
    checks.append(_witness_check(steps))
    checks.append(_block_check(subject, golden, batches))
    return checks


def check_losses(golden: Golden, losses: Sequence[float], precision: str, name: str = "losses") -> Check:
    """Each step's loss against the golden curve: 1e-10 relative in float64, the envelope otherwise."""
    truth = np.asarray(golden.losses[: len(losses)])
    found = np.abs(np.asarray(losses, np.float64) - truth)
    allowed = loss_envelope(golden, precision)[: len(losses)]
    return worst(name, found, allowed, lambda i: f"step {i + 1}: loss {losses[i]:.9g}, expected {truth[i]:.9g}")


def loss_envelope(golden: Golden, precision: str) -> NDArray[np.float64]:
    """Allowed distance of each step's loss from the golden one."""
    if precision == "float64":
        return np.asarray(FLOAT64_TOLERANCE * np.maximum(1.0, np.abs(golden.losses)))
    return np.asarray(golden.envelopes[precision].losses)


def worst(name: str, found: NDArray[np.float64], allowed: NDArray[np.float64], describe: Callable[[int], str]) -> Check:
    """The first value outside its allowance; where there is none, the largest fraction of it."""
    outside = np.flatnonzero(~(found <= allowed))  # also catches NaN
    at = int(outside[0]) if len(outside) else int(np.argmax(found / allowed))
    return Check(
        name=name,
        passed=not len(outside),
        found=float(found[at]),
        allowed=float(allowed[at]),
        detail=describe(at) if len(outside) else "",
    )


def _tensor_check(golden: Golden, steps: list[Step]) -> Check:
    """Every tensor's fingerprint after every step; names the first step, and the first layer in forward order."""
    largest = 0.0
    for number, (step, expected) in enumerate(zip(steps, golden.fingerprints, strict=True), 1):
        missing = sorted(expected.keys() ^ step.fingerprint.keys())
        if missing:
            return Check(name="weights and statistics", passed=False, detail=f"tensor names differ: {missing[:4]}")
        strayed = {
            name: max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(step.fingerprint[name], pair, strict=True))
            for name, pair in expected.items()
        }
        wrong = [name for name, distance in strayed.items() if not distance <= FLOAT64_TOLERANCE]
        if wrong:
            return Check(
                name="weights and statistics",
                passed=False,
                found=max(strayed[name] for name in wrong),
                allowed=FLOAT64_TOLERANCE,
                detail=f"step {number}: {_where(wrong, len(strayed))}",
            )
        largest = max(largest, *strayed.values())
    return Check(name="weights and statistics", passed=True, found=largest, allowed=FLOAT64_TOLERANCE)


def _where(wrong: list[str], total: int) -> str:
    """Running statistics depend on the forward pass alone: the first wrong mean or variance says where it went wrong."""
    forward = [name for name in wrong if name.endswith("running_mean")]
    variances = [name for name in wrong if name.endswith("running_var")]
    if forward:
        return f"the forward pass diverges before BatchNorm '{forward[0].rsplit('.', 1)[0]}'"
    if variances:
        return f"running variances diverge from '{variances[0].rsplit('.', 1)[0]}' on, means agree: look at BatchNorm"
    return f"the forward pass agrees, but {len(wrong)} of {total} tensors are updated differently, first '{wrong[0]}'"


def _diagnosis(workload: Workload, batches: Sequence[Batch], steps: list[Step]) -> Check:
    likely = diagnose(workload, batches, [step.loss for step in steps], [step.fingerprint for step in steps])
    detail = f"the numbers are exactly those of: {likely}" if likely else "no known difference of convention fits"
    return Check(name="likely convention", passed=False, detail=detail)


def _witness_check(steps: list[Step]) -> Check:
    """``Progress.witness`` must be the sum of squares of the weights that ``weights()`` returns."""
    found = np.array([abs(step.witness - step.squares) / max(step.squares, 1e-30) for step in steps])
    describe = lambda i: f"step {i + 1}: witness {steps[i].witness:.9g}, weights have {steps[i].squares:.9g}"  # noqa: E731
    return worst("witness", found, np.full(len(steps), WITNESS_TOLERANCE), describe)


WITNESS_TOLERANCE = 1e-3
"""Relative. A sum of ten million squares in fp32, in an order of the backend's choosing; a step moves it by less, so the
witness proves that every weight was read, and the losses prove that it was updated."""


def _block_check(subject: Subject, golden: Golden, batches: Sequence[Batch]) -> Check:
    """All steps as one block: the curve must not depend on how steps are grouped."""
    trainer = subject.trainer()
    progress = trainer.wait(trainer.run([trainer.stage(*batch) for batch in batches]))
    losses = [float(loss) for loss in progress.losses]
    if len(losses) != len(batches):
        return Check(name="one block", passed=False, detail=f"{len(losses)} losses for {len(batches)} steps")
    return check_losses(golden, losses, subject.settings.precision, "one block")


def _calibrated_check(subject: Subject, golden: Golden, batches: Sequence[Batch]) -> Check:
    predictor = subject.predictor(calibrated_weights(subject.workload, batches[0]))
    precision = subject.settings.precision
    allowed = FLOAT64_TOLERANCE if precision == "float64" else golden.envelopes[precision].predictions
    return _prediction_check("predictions", predictor, batches[-1], golden.calibrated, allowed)


def _trained_check(subject: Subject, golden: Golden, batches: Sequence[Batch], trained: Weights | None) -> Check:
    """Predictions with the weights after training. In float64 the backend's own weights; otherwise, and for a backend
    that cannot train, the oracle's, because trajectories part in lower precisions."""
    precision = subject.settings.precision
    if trained is None or precision != "float64":
        workload = subject.workload
        oracle = Oracle(
            workload.network,
            workload.loss,
            workload.optimizer,
            initial_weights(workload.network, workload.seed),
        )
        for batch in batches:
            oracle.step(*batch)
        trained = {name: np.asarray(value, np.float32) for name, value in oracle.weights.items()}
    allowed = FLOAT64_TOLERANCE if precision == "float64" else golden.envelopes[precision].predictions
    if subject.settings.precision == "float64" and not subject.trains:
        allowed = FLOOR["fp32"]  # the oracle's weights were rounded to float32 on their way
    predictor = subject.predictor(trained)
    return _prediction_check("predictions after training", predictor, batches[0], golden.predictions, allowed)


def _prediction_check(name: str, predictor: Predictor, batch: Batch, expected: list[list[float]], allowed: float) -> Check:
    found = np.asarray(predictor.wait(predictor.run(predictor.stage(batch[0]))), np.float64)
    truth = np.asarray(expected)
    if found.shape != truth.shape:
        return Check(name=name, passed=False, detail=f"predictions have shape {found.shape}, expected {truth.shape}")
    distance = np.abs(found - truth).max(axis=1)
    describe = lambda i: f"image {i + 1}: {found[i].round(6).tolist()}, expected {truth[i].round(6).tolist()}"  # noqa: E731
    return worst(name, distance, np.full(len(distance), allowed), describe)
