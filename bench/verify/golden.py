"""Golden files: what the float64 oracle computed for a workload, small enough to ship with it.

A golden file holds the digests of everything that went in, the loss of every step, a fingerprint of every tensor after
every step, predictions, and the envelope of each working precision (``bench.verify.envelope``).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.contract import Workload
from bench.errors import SpecError
from bench.oracle.model import Oracle, batch_statistics, predict
from bench.record.damage import DAMAGE
from bench.spec import Weights
from bench.spec.weights import digest, initial_weights
from bench.verify.batches import Batch, golden_batches
from bench.verify.envelope import FLOOR, Envelope, envelope_of_predictions, envelope_of_training, fingerprint

VERSION = 1


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """The oracle's answers for one size of one workload."""

    version: int
    workload: str
    size: str
    workload_digest: str
    weights_digest: str  # initial weights
    batches_digest: str
    images: int  # per base batch
    losses: list[float]  # (steps,)
    fingerprints: list[dict[str, tuple[float, float]]]  # per step: tensor name to (norm, projection)
    predictions: list[list[float]]  # of batch 0 after the last step, running statistics of that training
    calibrated: list[list[float]]  # of the last batch, with initial weights and batch 0's statistics
    envelopes: dict[str, Envelope]

    def with_curve(self, losses: list[float], envelopes: dict[str, Envelope]) -> Golden:
        """The same file with another loss curve, made on other batches."""
        return msgspec.structs.replace(self, losses=losses, envelopes=envelopes)


def workload_digest(workload: Workload) -> str:
    """SHA-256 of everything that decides the computation: equal digests mean the same function."""
    parts = (workload.network, workload.loss, workload.optimizer, workload.seed)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def batches_of(workload: Workload, steps: int, images: int) -> list[Batch]:
    """The golden batches of a workload's size."""
    return golden_batches(workload.network, steps, images, f"{workload.name}-{workload.size}")


def steps_and_images(workload: Workload) -> tuple[int, int]:
    """How much a golden file holds: big networks get fewer steps and images, which the float64 oracle can still afford."""
    return (5, 8) if workload.network.height * workload.network.width <= 100 * 100 else (3, 4)


def calibrated_weights(workload: Workload, batch: Batch) -> Weights:
    """Initial weights with the statistics of ``batch``: what inference is measured and proven on."""
    weights = initial_weights(workload.network, workload.seed)
    return batch_statistics(workload.network, weights, batch[0])


def make_golden(workload: Workload, draws: int = 6, report: Callable[[str], None] = lambda text: None) -> Golden:
    """Run the oracle in float64, then its rounding models. Minutes for a 224x224 ResNet-50."""
    steps, images = steps_and_images(workload)
    batches = batches_of(workload, steps, images)
    weights = initial_weights(workload.network, workload.seed)
    truth = Oracle(workload.network, workload.loss, workload.optimizer, weights)
    losses, prints = [], []
    states: list[Weights] = []
    for batch in batches:
        started = time.perf_counter()
        losses.append(truth.step(*batch))
        prints.append(fingerprint(truth.weights))
        states = [*states[:1], truth.weights]  # after the first step, and after the last
        report(f"{workload.size}: float64 step in {time.perf_counter() - started:.1f} s, loss {losses[-1]:.6f}")
    settled = calibrated_weights(workload, batches[0])
    predictions = predict(workload.network, truth.weights, batches[0][0])
    calibrated = predict(workload.network, settled, batches[-1][0])
    envelopes = {}
    for precision in FLOOR:
        envelope = envelope_of_training(workload, batches, losses, states[0], precision, draws)
        predicted = envelope_of_predictions(workload, batches[-1], settled, calibrated, precision, draws)
        envelopes[precision] = msgspec.structs.replace(envelope, predictions=predicted)
        report(f"{workload.size}: {precision} envelope {envelopes[precision].losses}")
    return Golden(
        version=VERSION,
        workload=workload.name,
        size=workload.size,
        workload_digest=workload_digest(workload),
        weights_digest=digest(weights),
        batches_digest=_batches_digest(batches),
        images=images,
        losses=losses,
        fingerprints=prints,
        predictions=predictions.tolist(),
        calibrated=calibrated.tolist(),
        envelopes=envelopes,
    )


def _batches_digest(batches: list[Batch]) -> str:
    named: dict[str, NDArray[np.generic]] = {}
    for step, (images, labels) in enumerate(batches):
        named |= {f"{step}:images": images, f"{step}:labels": labels}
    return digest(named)


def write_golden(golden: Golden, path: Path) -> None:
    """One JSON file, a line per field."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = [f'"{name}": {msgspec.json.encode(getattr(golden, name)).decode()}' for name in golden.__struct_fields__]
    path.write_text("{\n" + ",\n".join(fields) + "\n}\n")


def read_golden(path: Path) -> Golden:
    """Raises SpecError where the file is missing, damaged or of another version."""
    try:
        golden = msgspec.json.decode(path.read_bytes(), type=Golden)
    except OSError as error:
        raise SpecError(f"cannot read golden file {path.name}: {error.strerror}") from None
    except DAMAGE as error:
        raise SpecError(f"golden file {path.name} is damaged: {error}; make it again") from None
    if golden.version != VERSION:
        raise SpecError(f"golden file {path.name} has version {golden.version}, expected {VERSION}; make it again")
    return golden


def checked_golden(workload: Workload) -> tuple[Golden, list[Batch]]:
    """The workload's golden file and batches, with all digests compared; computed on the spot where it ships none.

    Raises SpecError naming what changed: weights, batches or the workload itself.
    """
    if workload.golden is None or not workload.golden.exists():
        golden = _made_golden(workload)
        return golden, batches_of(workload, len(golden.losses), golden.images)
    golden = read_golden(workload.golden)
    batches = batches_of(workload, len(golden.losses), golden.images)
    actual = {
        "workload": (workload_digest(workload), golden.workload_digest),
        "initial weights": (digest(initial_weights(workload.network, workload.seed)), golden.weights_digest),
        "batches": (_batches_digest(batches), golden.batches_digest),
    }
    for what, (found, expected) in actual.items():
        if found != expected:
            raise SpecError(
                f"the {what} of {workload.name}-{workload.size} have digest {found[:12]}, but its golden file says "
                f"{expected[:12]}: the specification or NumPy changed; make the golden file again if that was meant"
            )
    return golden, batches


_made: dict[tuple[str, str, str], Golden] = {}


def _made_golden(workload: Workload) -> Golden:
    """Made once per process for each workload that ships none."""
    key = (workload.name, workload.size, workload_digest(workload))
    if key not in _made:
        _made[key] = make_golden(workload, draws=3)
    return _made[key]
