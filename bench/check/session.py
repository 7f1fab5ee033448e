"""A whole check of two environments: plan both, prepare, lock, measure in pairs, compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.check.budget import Budget
from bench.check.gate import Gate, refuse_same_code
from bench.check.noise import NOISE, trial_seconds
from bench.check.sides import Side, differing_packages, refuse_shared_code
from bench.comparison.model import Comparison
from bench.errors import RecordError, UsageError
from bench.record.damage import DAMAGE
from bench.record.files import write_durably
from bench.record.labels import ARMS
from bench.run.arms import Arm, Pairs, refuse_different_work, resume_arm, start_arm
from bench.run.folders import made
from bench.run.interruption import Interrupted, interruptible, uninterrupted
from bench.run.journal import read_plan
from bench.run.lock import locked
from bench.run.plan import Wishes
from bench.run.progress import Progress
from bench.run.resumption import refuse_other_programs
from bench.run.session import is_complete, make_plan, new_identity


def check_environments(
    wishes: Wishes,
    base: Side,
    candidate: Side,
    output: Path,
    seconds: float | None,
    trials_fixed: bool,
    wait: bool,
    quiet: bool,
    say: Callable[[str], None],
) -> Comparison:
    """Measure two environments side by side and return how they compare.

    ``seconds``: the budget. ``trials_fixed``: ``wishes.seconds`` was asked for, and is not a default that ``bench doctor`` may know better.
    Raises UsageError and NotComparableError where the two cannot be held against each other: before anything is measured, but for the same
    code in both, which only the workers can tell.
    """
    begun = time.monotonic()
    if base.checkout is not None:
        refuse_shared_code(base, candidate, wishes.stall)
    pythons = dict(zip(ARMS, (base.python, candidate.python), strict=True))
    plans = {name: make_plan(wishes, {}, python=pythons[name]) for name in ARMS}
    known = NOISE.recall_all(plans[ARMS[1]].machine.fingerprint)
    best = None if trials_fixed else trial_seconds(known, [planned.case.identity for planned in plans[ARMS[1]].cases])
    if best is not None:
        say(f"trials of {best:.1f} s, as bench doctor found best here")
        plans = {name: msgspec.structs.replace(plan, seconds=best) for name, plan in plans.items()}
    identity, _ = new_identity()
    folder = output / f"{PREFIX}{identity}"
    made(output, "results", "--output")
    physical = [planned.physical for plan in plans.values() for planned in plan.cases]
    with locked(physical, wait), interruptible(), Progress(None, quiet) as progress:
        progress.say("preparing images …")
        arms = [start_arm(name, pythons[name], plans[name], folder, progress) for name in ARMS]
        refuse_different_work(*arms)
        packages = differing_packages(base, candidate)
        begun_as = Begun(base=base.name, candidate=candidate.name, packages=packages, seconds=seconds)
        _write_begun(begun_as, folder)
        left = None if seconds is None else seconds - (time.monotonic() - begun)
        scatter = {case: one.scatter for case, one in known.items()}
        gate = Gate(Pairs(arms, progress, wishes.seed), identity, left, wishes.trials, say, wishes.seed, scatter)
        return _finished(gate, begun_as, arms, folder, say)


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What a check needs beside its arms' plans to be gone on with."""

    base: str  # what the base is called
    candidate: str
    packages: str = ""  # a sentence on the packages that differ between the two; empty where none does
    seconds: float | None  # the whole budget
    budget: Budget | None = None  # what was planned for it, once the pilots had run


BEGUN = "check.json"
PREFIX = "check-"
"""Of a check's folder; its identifier follows."""


def resume_check(
    base: Side, candidate: Side, folder: Path, wait: bool, quiet: bool, say: Callable[[str], None]
) -> Comparison:
    """Go on with the check in ``folder`` of these two sides: what it has measured stays, and is not measured again.

    Raises RecordError where there is none, UsageError where it is complete or its base was another interpreter, and NotComparableError
    on another machine or with other software than it began with.
    """
    begun, pythons = _read_begun(folder), dict(zip(ARMS, (base.python, candidate.python), strict=True))
    plans = {name: read_plan(folder / name) for name in ARMS}
    for name, plan in plans.items():
        refuse_other_programs(plan, folder / name, {}, pythons[name])
    with (
        locked([planned.physical for plan in plans.values() for planned in plan.cases], wait),
        interruptible(),
        Progress(None, quiet) as progress,
    ):
        if all(is_complete(folder / name) for name in ARMS):
            raise UsageError(
                f"the check in {folder} is complete; bench compare {folder}/base {folder}/candidate shows its verdict"
            )
        progress.say("preparing images …")
        arms = [resume_arm(name, pythons[name], folder, progress) for name in ARMS]
        refuse_different_work(*arms)
        plan = arms[1].runner.plan
        spent = sum(trial.wall for trial in arms[0].runner.journal.trials)  # a pair's workers are alive at the same time
        left = None if begun.seconds is None else begun.seconds - spent
        gate = Gate(Pairs(arms, progress, plan.seed), folder.name.removeprefix(PREFIX), left, plan.trials, say, plan.seed)
        gate.budget = begun.budget
        return _finished(gate, begun, arms, folder, say)


def _finished(gate: Gate, begun: Begun, arms: Sequence[Arm], folder: Path, say: Callable[[str], None]) -> Comparison:
    """Carry out a check to its end. Interrupted, it seals what it has measured, and the interruption says so."""
    gate.keep = lambda budget: _write_begun(msgspec.structs.replace(begun, budget=budget), folder)
    try:
        result = gate.run()
    except Interrupted as interrupt:
        with uninterrupted():
            if gate.pairs.seal_what_there_is(gate.labels()):
                interrupt.kept = f"what was measured is sealed as incomplete in {folder}; go on with the same command and --resume {folder}"
        raise
    refuse_same_code(arms[0], arms[1], folder)
    say(f"records: {folder}/base and {folder}/candidate")
    notes = (*result.notes, begun.packages) if begun.packages else result.notes
    return replace(result, base=begun.base, candidate=begun.candidate, notes=notes)


def _write_begun(begun: Begun, folder: Path) -> None:
    try:
        write_durably(msgspec.json.format(msgspec.json.encode(begun), indent=1), folder / BEGUN)
    except OSError as error:
        raise UsageError(f"cannot write {folder / BEGUN}: {error.strerror}; choose another folder with --output") from None


def _read_begun(folder: Path) -> Begun:
    try:
        return msgspec.json.decode((folder / BEGUN).read_bytes(), type=Begun)
    except OSError as error:
        raise RecordError(f"{folder} holds no check to resume ({error.strerror}); expected a {BEGUN} in it") from None
    except DAMAGE as error:
        raise RecordError(f"{folder / BEGUN} is damaged, or of another release: {error}; start a new check") from None
