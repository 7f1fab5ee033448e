"""One case, measured trial by trial for somebody else's harness."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.record.figures import figure, standing
from bench.run.crew import run_at_once
from bench.run.journal import Journal
from bench.run.plan import Wishes
from bench.run.progress import Progress
from bench.run.runner import Runner
from bench.run.session import make_plan, prepare_plan

_NAMES = {name: f"{name}s" for name in ("backend", "device", "size", "phase", "precision", "batch_size")}
_PLAIN = ("workload", "seconds", "threads", "options", "seed")


class SingleCase:
    """Plans, prepares and runs the pilot; every ``measure`` is then one fresh process.

    Raises UsageError where the wishes make no case or several, NotComparableError where the machine cannot run it, AssertionError
    where the pilot failed.
    """

    def __init__(self, folder: Path, wishes: dict[str, Any]) -> None:
        plan = make_plan(_wishes(wishes), {})
        plan, prepared = prepare_plan(plan)
        if len(plan.cases) != 1:
            labels = ", ".join(planned.case.label for planned in plan.cases)
            raise UsageError(
                f"these wishes make {len(plan.cases)} cases ({labels}); name device, phase and precision so that one is left"
            )
        journal = Journal.create(folder / plan.id, plan)
        self._runner = Runner(plan, journal, prepared, Progress(0, quiet=True))
        self._runner.pilots()
        self._pilot = journal.pilot(0)
        self._number = 0
        if self._pilot is None or self._pilot.blocks is None:
            reason = self._pilot.trial.reason if self._pilot is not None else "no pilot"
            raise AssertionError(f"{plan.cases[0].case.label} cannot be measured: {reason}")
        case = plan.cases[0].case
        device = next((d for d in plan.devices if d.id == case.device and d.backend == case.backend), None)
        self.facts = {
            "case": case.label,
            "device": f"{case.device} {device.name}".strip() if device is not None else case.device,
            "versions": {} if device is None else dict(device.versions),
        }

    def measure(self) -> float:
        """Steady seconds per image of one trial, per pixel where decoding is measured. Raises AssertionError where it failed, or
        could not be proven."""
        assert self._pilot is not None
        job = self._runner.trial_job(0, self._number, self._pilot)
        launches = self._runner.launches(self._runner.plan.cases[0], job, f"trial{self._number}")
        while not self._runner.journal.has_trial(0, self._number):  # again where the machine was disturbed
            self._runner.keep_trial(run_at_once(launches), 0, self._number)
        self._number += 1
        trial = self._runner.journal.trials[-1]
        if trial.status != "ok":
            raise AssertionError(f"{job.case.label}: the trial {trial.status}: {trial.reason}")
        if standing(trial) != "proven":
            failed = "; ".join(f"{check.name}: {check.detail}" for check in trial.checks if not check.passed)
            raise AssertionError(f"{job.case.label}: the trial could not be proven: {failed or 'no check was made'}")
        return math.exp(figure(job.case, trial))


def _wishes(given: dict[str, Any]) -> Wishes:
    unknown = sorted(set(given) - set(_NAMES) - set(_PLAIN))
    if unknown:
        raise UsageError(f"bench_case knows no '{unknown[0]}'; it takes {', '.join([*_NAMES, *_PLAIN, 'rounds'])}")
    fields: dict[str, Any] = {"sizes": ("tiny",), "phases": ("train",), "precisions": ("fp32",), "seconds": 1.0}
    for name, value in given.items():
        fields[_NAMES.get(name, name)] = (value,) if name in _NAMES else value
    return Wishes(ceilings=False, command=["pytest", os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]], **fields)
