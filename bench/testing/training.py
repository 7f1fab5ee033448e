"""What the contract asks of a trainer beyond right numbers: blocks, host arrays, weights, and trainers side by side.

Every function takes a ``Subject`` and returns checks. Losses are held against the oracle throughout, so a trainer that
mixes up its batches, forgets an update or remembers an old answer shows it in numbers, on any clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.contract import Progress, Trainer, Workload
from bench.errors import PluginError
from bench.record.schema import Check
from bench.spec import Weights
from bench.spec.tensors import tensor_shapes
from bench.spec.weights import initial_weights
from bench.testing.known_training import KnownTraining, copies, losses_of, make_course
from bench.verify.batches import Batch
from bench.verify.compare import misfit
from bench.verify.equivalence import Subject, compiled
from bench.worker.offered import optional_fault
from bench.worker.plugins import depth_of

ORDER = (0, 1, 2, 3, 4, 5)
REPEATING = (0, 0, 1, 0, 1, 1)


def _course(subject: Subject, order: Sequence[int]) -> KnownTraining:
    return make_course(subject.workload, subject.settings.precision, order, subject.settings.batch_size)


def _block(trainer: Trainer, batches: Sequence[Batch]) -> Progress:
    return trainer.wait(trainer.run([trainer.stage(*batch) for batch in batches]))


def check_blocks(subject: Subject) -> list[Check]:
    """Check that the losses are the same however the steps are cut into blocks."""
    course = _course(subject, ORDER)
    batches = copies(course.batches)
    ones, growing, whole = subject.trainer(), subject.trainer(), subject.trainer()
    one_by_one = [_block(ones, [batch]) for batch in batches]
    doubling = [_block(growing, batches[:2]), _block(growing, batches[2:])]
    together = _block(whole, batches)
    return [
        _check_progress(together, len(batches)),
        course.check("blocks of one step", losses_of(*one_by_one)),
        course.check("a block, then one twice as long", losses_of(*doubling)),
        course.check("one block of all steps", losses_of(together)),
    ]


def _check_progress(progress: Progress, steps: int) -> Check:
    losses, witness = progress.losses, progress.witness
    detail = ""
    if not isinstance(losses, np.ndarray) or not np.issubdtype(losses.dtype, np.floating) or losses.shape != (steps,):
        shape = f"{losses.dtype} {losses.shape}" if isinstance(losses, np.ndarray) else type(losses).__name__
        detail = f"losses are {shape}, expected a floating array of shape ({steps},)"
    elif not isinstance(witness, float) or not np.isfinite(witness):
        detail = f"witness is {witness!r}, expected a finite float"
    return Check(name="progress", passed=not detail, detail=detail)


def check_in_flight(subject: Subject) -> list[Check]:
    """Two blocks enqueued before the first is waited for; and all batches staged before any is run."""
    course = _course(subject, ORDER)
    batches = copies(course.batches)
    trainer = subject.trainer()
    first = trainer.run([trainer.stage(*batch) for batch in batches[:2]])
    second = trainer.run([trainer.stage(*batch) for batch in batches[2:]])
    in_flight = losses_of(trainer.wait(first), trainer.wait(second))
    trainer = subject.trainer()
    staged = [trainer.stage(*batch) for batch in batches]
    ahead = losses_of(*(trainer.wait(trainer.run([batch])) for batch in staged))
    return [course.check("two blocks in flight", in_flight), course.check("batches staged ahead", ahead)]


def check_host_arrays(subject: Subject) -> list[Check]:
    """Host arrays are left as they were, and belong to the caller again once ``wait`` has returned."""
    course = _course(subject, ORDER)
    batches = copies(course.batches)
    trainer = subject.trainer()
    _block(trainer, batches)
    same = all(
        np.array_equal(mine[0], original[0]) and np.array_equal(mine[1], original[1])
        for mine, original in zip(batches, course.batches, strict=True)
    )
    trainer = subject.trainer()
    images, labels = np.empty_like(batches[0][0]), np.empty_like(batches[0][1])
    losses = []
    for batch in course.batches:
        images[:], labels[:] = batch
        losses += losses_of(_block(trainer, [(images, labels)]))
        images[:], labels[:] = 0, 0
    return [
        Check(name="host arrays left alone", passed=same, detail="" if same else "staged images or labels were changed"),
        course.check("host arrays used again after wait", losses),
    ]


def check_repeats(subject: Subject) -> list[Check]:
    """The same batch again is another step with another loss: a remembered answer would be wrong."""
    course = _course(subject, REPEATING)
    trainer = subject.trainer()
    return [course.check("repeated batches", losses_of(*(_block(trainer, [batch]) for batch in copies(course.batches))))]


def check_weights(subject: Subject) -> list[Check]:
    """``weights()``: canonical, the caller's own, the same twice; and training starts from the weights given."""
    network, course = subject.workload.network, _course(subject, ORDER)
    given = _other_weights(subject.workload)
    kept = {name: value.copy() for name, value in given.items()}
    trainer = compiled(subject.backend.trainer(subject.workload, given, subject.device, subject.settings))
    start = trainer.weights()
    fault = misfit(start, tensor_shapes(network)) or _dtypes(start, subject.settings.precision)
    checks = [Check(name="canonical weights", passed=not fault, detail=fault)]
    if fault:
        return checks
    checks.append(_same("starts from the given weights", given, start))
    snapshot = {name: value.copy() for name, value in start.items()}
    again = trainer.weights()
    checks.append(_same("weights the same twice", snapshot, again))
    for value in again.values():
        value[...] = 0
    checks.append(_same("weights are copies", snapshot, trainer.weights()))
    _block(trainer, copies(course.batches[:2]))
    checks.append(_same("weights are copies", snapshot, start))
    checks.append(_same("given weights left alone", kept, given))
    return checks


def _other_weights(workload: Workload) -> Weights:
    """Return weights of another seed than the workload's, so that a trainer with weights of its own is found out."""
    return initial_weights(workload.network, workload.seed + 1)


def _dtypes(weights: Weights, precision: str) -> str:
    for name, value in weights.items():
        if not isinstance(value, np.ndarray) or not np.issubdtype(value.dtype, np.floating):
            return f"tensor '{name}' is {getattr(value, 'dtype', type(value).__name__)}, expected a floating NumPy array"
        if precision == "float64" and value.dtype != np.float64:
            return f"tensor '{name}' is {value.dtype}, expected float64 in precision float64"
        if not value.flags.writeable:
            return f"tensor '{name}' is read-only, so it is no copy of the caller's own"
    return ""


def _same(name: str, expected: Weights, found: Weights) -> Check:
    differ = [n for n in expected if not np.array_equal(np.asarray(expected[n], found[n].dtype), found[n])]
    detail = f"{len(differ)} of {len(expected)} tensors differ, first '{differ[0]}'" if differ else ""
    return Check(name=name, passed=not differ, detail=detail)


def check_trainers(subject: Subject) -> list[Check]:
    """Two trainers, step by step in turn: neither may see the other. And what a trainer may have besides."""
    forward, backward = _course(subject, ORDER), _course(subject, ORDER[::-1])
    first, second = subject.trainer(), subject.trainer()
    losses: tuple[list[float], list[float]] = ([], [])
    for one, other in zip(copies(forward.batches), copies(backward.batches), strict=True):
        losses[0].extend(losses_of(_block(first, [one])))
        losses[1].extend(losses_of(_block(second, [other])))
    return [
        forward.check("independent trainers", losses[0]),
        backward.check("independent trainers", losses[1]),
        check_optional(first),
    ]


def check_optional(made: Any) -> Check:
    """Check ``lowering``, ``device_memory`` and ``in_flight`` where the plugin has them."""
    detail = optional_fault(made)
    try:
        depth_of(made)
    except PluginError as wrong:
        detail = detail or str(wrong)
    return Check(name="optional attributes", passed=not detail, detail=detail)


TRAINING = (check_blocks, check_in_flight, check_host_arrays, check_repeats, check_weights, check_trainers)
"""In order of what to look at first when several fail."""
