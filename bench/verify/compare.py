"""What a backend gave, held against what the oracle says: each function makes one check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.record.schema import Check
from bench.spec import Weights, trainable
from bench.verify.envelope import FLOAT64_TOLERANCE, Envelope, Fingerprint, strayed_statistics, strayed_updates
from bench.verify.golden import Golden

TENSORS = "weights and statistics"


@dataclass(frozen=True)
class Step:
    """One optimizer step as the backend reported it."""

    loss: float
    witness: float
    fingerprint: dict[str, tuple[float, float]]
    squares: float  # sum of squares of the trained tensors, from ``weights()``


def not_judged(name: str, why: str) -> Check:
    """A check that says nothing, and why."""
    return Check(name=name, passed=True, judged=False, detail=f"not judged: {why}")


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


def check_losses(golden: Golden, losses: Sequence[float], precision: str, name: str = "losses") -> Check:
    """Each step's loss against the golden curve: 1e-10 relative in float64, the envelope otherwise."""
    truth = np.asarray(golden.losses[: len(losses)])
    found = np.abs(np.asarray(losses, np.float64) - truth)
    allowed = loss_envelope(golden, precision)[: len(losses)]
    check = worst(name, found, allowed, lambda i: f"step {i + 1}: loss {losses[i]:.9g}, expected {truth[i]:.9g}")
    return unless_constant(check, truth[:, None], allowed)


def unless_constant(check: Check, truth: NDArray[np.float64], allowed: NDArray[np.float64]) -> Check:
    """The passed ``check`` of ``truth`` (rows, values), or one that says nothing where the same answer for every row would pass too."""
    if not check.passed or len(truth) < 2:
        return check
    low, high = (truth - allowed[:, None]).max(axis=0), (truth + allowed[:, None]).min(axis=0)
    if (low > high).any():
        return check
    return not_judged(check.name, f"the same answer everywhere would pass within {allowed.max():.2g}")


def loss_envelope(golden: Golden, precision: str) -> NDArray[np.float64]:
    """Allowed distance of each step's loss from the golden one."""
    if precision == "float64":
        return np.asarray(FLOAT64_TOLERANCE * np.maximum(1.0, np.abs(golden.losses)))
    return np.asarray(golden.envelopes[precision].losses)


def misfit(weights: Weights, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The first difference between a backend's tensors and the canonical names and shapes; empty where there is none."""
    missing, extra = sorted(shapes.keys() - weights.keys()), sorted(weights.keys() - shapes.keys())
    if missing or extra:
        return f"tensors missing: {missing[:4]}, unknown: {extra[:4]}"
    for name, shape in shapes.items():
        if tuple(weights[name].shape) != shape:
            return f"tensor '{name}' has shape {tuple(weights[name].shape)}, expected {shape}"
    return ""


def check_tensors(golden: Golden, steps: Sequence[Step]) -> Check:
    """Every tensor after every step, to 1e-10; names the first step, and the first layer in forward order, that stray."""
    farthest = 0.0
    for number, (step, expected) in enumerate(zip(steps, golden.fingerprints, strict=True), 1):
        distances = _relative(step.fingerprint, expected)
        wrong = [name for name, distance in distances.items() if not distance <= FLOAT64_TOLERANCE]  # also catches NaN
        if wrong:
            detail = f"step {number}: {_where(wrong, len(distances))}"
            found = max(distances[name] for name in wrong)
            return Check(name=TENSORS, passed=False, found=found, allowed=FLOAT64_TOLERANCE, detail=detail)
        farthest = max(farthest, *distances.values())
    return Check(name=TENSORS, passed=True, found=farthest, allowed=FLOAT64_TOLERANCE)


def _relative(found: Fingerprint, expected: Fingerprint) -> dict[str, float]:
    return {
        name: max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(found[name], pair, strict=True))
        for name, pair in expected.items()
    }


def check_first_step(envelope: Envelope, before: Weights, expected: Weights, found: Weights) -> list[Check]:
    """In a working precision: running statistics and updates of one step, within their envelopes."""
    return [
        _within("running statistics", strayed_statistics(expected, found), envelope.statistics),
        _within("updates", strayed_updates(before, expected, found), envelope.updates),
    ]


def _within(name: str, strayed: Mapping[str, float], allowed: float) -> Check:
    if not allowed or not strayed:
        return not_judged(name, "an honest device strays as far as a wrong one here")
    wrong = [tensor for tensor, distance in strayed.items() if not distance <= allowed]  # also catches NaN
    if not wrong:
        return Check(name=name, passed=True, found=max(strayed.values()), allowed=allowed)
    detail = f"step 1: {len(wrong)} of {len(strayed)} tensors stray, first '{wrong[0]}'"
    return Check(name=name, passed=False, found=strayed[wrong[0]], allowed=allowed, detail=detail)


def _where(wrong: list[str], total: int) -> str:
    """Running statistics depend on the forward pass alone: the first wrong mean or variance says where it went wrong."""
    forward = [name for name in wrong if name.endswith("running_mean")]
    variances = [name for name in wrong if name.endswith("running_var")]
    if forward:
        return f"the forward pass diverges before BatchNorm '{forward[0].rsplit('.', 1)[0]}'"
    if variances:
        return f"running variances diverge from '{variances[0].rsplit('.', 1)[0]}' on, means agree: look at BatchNorm"
    return f"the forward pass agrees, but {len(wrong)} of {total} tensors are updated differently, first '{wrong[0]}'"


def check_witness(steps: Sequence[Step], precision: str) -> Check:
    """``Progress.witness`` must be the sum of squares of the weights that ``weights()`` returns."""
    found = np.array([abs(step.witness - step.squares) / max(step.squares, 1e-30) for step in steps])
    describe = lambda i: f"step {i + 1}: witness {steps[i].witness:.9g}, weights have {steps[i].squares:.9g}"  # noqa: E731
    return worst("witness", found, np.full(len(steps), witness_tolerance(precision)), describe)


def witness_tolerance(precision: str) -> float:
    """Return the relative tolerance. In float64 it tells the last update from the one before. In fp32 a sum of ten million
    squares, in an order of the backend's choosing, is less exact than that: there the witness proves that every weight was
    read, and the losses that it was updated."""
    return 1e-9 if precision == "float64" else 1e-3


def sum_of_squares(weights: Weights) -> float:
    """Return the sum of squares of all trained tensors, which a trainer's witness should be."""
    return sum(float(np.sum(np.square(w, dtype=np.float64))) for name, w in weights.items() if trainable(name))


def check_predictions(name: str, found: NDArray[np.floating], truth: NDArray[np.float64], allowed: float) -> Check:
    """Probabilities (batch, classes), image by image."""
    if found.shape != truth.shape:
        return Check(name=name, passed=False, detail=f"predictions have shape {found.shape}, expected {truth.shape}")
    distance = np.abs(np.asarray(found, np.float64) - truth).max(axis=1)
    describe = lambda i: f"image {i + 1}: {found[i].round(6).tolist()}, expected {truth[i].round(6).tolist()}"  # noqa: E731
    bounds = np.full(len(distance), allowed)
    return unless_constant(worst(name, distance, bounds, describe), truth, bounds)
