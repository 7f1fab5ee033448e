"""A whole check of two environments: plan both, prepare, lock, measure in pairs, compare."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.check.gate import Gate, refuse_same_code
from bench.check.noise import NOISE, trial_seconds
from bench.comparison.model import Comparison
from bench.errors import NotComparableError
from bench.machine.host import hashed
from bench.record.labels import ARMS
from bench.run.arms import Pairs, refuse_different_work, start_arm
from bench.run.discovery import survey
from bench.run.folders import made
from bench.run.interruption import interruptible
from bench.run.lock import locked
from bench.run.plan import Wishes
from bench.run.progress import Progress
from bench.run.session import make_plan, new_identity


def check_environments(
    wishes: Wishes,
    python: str,
    name: str,
    expected: Path | None,
    output: Path,
    seconds: float | None,
    trials_fixed: bool,
    wait: bool,
    quiet: bool,
    say: Callable[[str], None],
) -> Comparison:
    """Measure the environment of ``python`` (the base) and the present one side by side.

    ``name``: what to call the base, "" for its environment's folder. ``expected``: a folder that the base's code must lie in. ``seconds``: the budget. ``trials_fixed``: ``wishes.seconds`` was
    asked for, and is not a default that ``bench doctor`` may know better. Raises UsageError and NotComparableError where the two cannot be
    held against each other: before anything is measured, but for the same code in both, which only the workers can tell.
    """
    begun = time.monotonic()
    if expected is not None:
        _refuse_strangers(python, expected, wishes.stall)
    pythons = dict(zip(ARMS, (python, sys.executable), strict=True))
    plans = {name: make_plan(wishes, {}, python=pythons[name]) for name in ARMS}
    known = NOISE.recall_all(plans[ARMS[1]].machine.fingerprint)
    best = None if trials_fixed else trial_seconds(known, [planned.case.identity for planned in plans[ARMS[1]].cases])
    if best is not None:
        say(f"trials of {best:.1f} s, as bench doctor found best here")
        plans = {name: msgspec.structs.replace(plan, seconds=best) for name, plan in plans.items()}
    identity, _ = new_identity()
    folder = output / f"check-{identity}"
    made(output, "results", "--output")
    physical = [planned.physical for plan in plans.values() for planned in plan.cases]
    with locked(physical, wait), interruptible(), Progress(None, quiet) as progress:
        progress.say("preparing images …")
        arms = [start_arm(name, pythons[name], plans[name], folder, progress) for name in ARMS]
        refuse_different_work(*arms)
        pairs = Pairs(arms, progress, wishes.seed)
        left = None if seconds is None else seconds - (time.monotonic() - begun)
        scatter = {case: one.scatter for case, one in known.items()}
        gate = Gate(pairs, identity, left, wishes.trials, say, wishes.seed, scatter)
        result = gate.run()
    refuse_same_code(arms[0], arms[1], folder)
    say(f"records: {folder}/base and {folder}/candidate")
    return replace(result, base=name or _name(python), candidate="this environment")


def _name(python: str) -> str:
    """An interpreter by its environment's folder."""
    place = Path(python)
    return place.parent.parent.name if place.parent.name in {"bin", "Scripts"} else place.name


def _refuse_strangers(python: str, expected: Path, stall: float) -> None:
    """Raises NotComparableError where the base would not run the code that was checked out for it."""
    found = survey(python, stall)
    roots = (expected / "src", expected)
    there = {
        name: {hashed(str((root / end).resolve())) for root in roots for end in (name, f"{name}.py")}
        for name in found.folders
    }
    inside = [name for name, folder in found.folders.items() if folder in there[name]]
    if not inside:
        raise NotComparableError(
            f"the environment made for the ref does not run the code checked out in {expected}: none of "
            f"{', '.join(found.folders)} lies there"
        )
