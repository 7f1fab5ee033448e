"""``bench check --against``: pairs of both arms, looked at a few times, until every case is decided or the budget is spent."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.check.budget import ASSUMED_SCATTER, Budget, plan_budget
from bench.comparison.compare import compare
from bench.comparison.model import Comparison
from bench.comparison.trials import paired, usable
from bench.errors import NoFigure, NotComparableError
from bench.record.figures import stages, trials_of
from bench.record.labels import ARM, CHECK, LEVEL, PASS_LEVEL
from bench.record.schema import Case, Trial
from bench.run.arms import Arm, PairedCase, Pairs
from bench.statistics.pairs import Look, Verdict

Say = Callable[[str], None]


@dataclass
class Gate:
    """A check in progress."""

    pairs: Pairs
    id: str
    seconds: float | None  # what is left of the budget when the pilots begin
    most_pairs: int
    say: Say
    seed: int = 0  # of the order of cases
    scatter: Mapping[str, float] = field(default_factory=dict)  # what ``bench doctor`` measured here, by the case's identity
    looks: dict[str, Look] = field(default_factory=dict)  # the look at which each case was decided, by its identity
    budget: Budget | None = None  # what a check that was interrupted had planned: other looks would have other error levels
    keep: Callable[[Budget], None] | None = None  # who keeps it, for a check that is interrupted

    def run(self) -> Comparison:
        """Measure pairs, judge them, seal both records, and return how they compare."""
        begun = time.monotonic()
        cases = self.pairs.pilots()
        if not cases:
            raise NotComparableError(f"nothing could be measured in both environments: {self._why_nothing()}")
        left = None if self.seconds is None else self.seconds - (time.monotonic() - begun)
        budget = self.budget or self._planned(cases, left)
        if self.keep is not None:
            self.keep(budget)
        self.say(describe(budget, len(cases)))
        self._measure(cases, budget, math.inf if self.seconds is None else begun + self.seconds)
        base, candidate = self.pairs.seal(self.labels())
        return compare([base], [candidate], vary=("framework", "settings"), names=("base", "candidate"))

    def labels(self) -> dict[str, Mapping[str, str]]:
        """The labels of both records, by arm."""
        return {arm.name: self._labels(arm) for arm in (self.pairs.base, self.pairs.candidate)}

    def _planned(self, cases: Sequence[PairedCase], left: float | None) -> Budget:
        known = [self.scatter[case.identity] for case in cases if case.identity in self.scatter]
        scatter = max(known) if len(known) == len(cases) else ASSUMED_SCATTER
        return plan_budget([self._expected(case) for case in cases], left, self.most_pairs, scatter)

    def _measure(self, cases: Sequence[PairedCase], budget: Budget, deadline: float) -> None:
        undecided, number = list(cases), 0
        rng = random.Random(self.seed)
        order: list[PairedCase] = []
        for look in budget.looks:
            # A machine that became slower must not make a check overrun: what there is by then is judged at this look's level.
            # Pairs from before an interruption are gone through as they were measured, so that each look sees what it saw then.
            while number < look.pairs and (
                number < 2 or time.monotonic() < deadline or any(self.pairs.made(case, number) for case in undecided)
            ):
                # Looks come after an even number of pairs, so that every second round is the one before in reverse.
                order = order[::-1] if number % 2 else rng.sample(undecided, len(undecided))
                for case in order:
                    if not self.pairs.made(case, number):
                        self.pairs.measure(case, number)
                number += 1
            undecided = [case for case in undecided if not self._decided(case, look, number)]
            if undecided and look is not budget.looks[-1]:
                self.say(f"after {number} pairs: {len(undecided)} of {len(cases)} cases undecided")
            if not undecided:
                return
            if time.monotonic() >= deadline and number < budget.most_pairs:
                self.say(f"the budget is spent after {number} pairs")
                return

    def _decided(self, case: PairedCase, look: Look, pairs: int) -> bool:
        """Whether a look at its levels, at so many pairs, decides the case."""
        self.looks[case.identity] = look
        planned, *sides = measured(self.pairs, case)
        base, candidate = ([trial for trial in side if trial.number < pairs] for side in sides)
        try:
            return paired(planned, base, candidate).verdict(look.level, look.pass_level) is not Verdict.INCONCLUSIVE
        except NoFigure:
            return False

    def _expected(self, case: PairedCase) -> float:
        """Seconds of one pair of a case: what its pilots took, less what only pilots do, and the planned steady state."""
        total = 0.0
        for (arm, _), pilot in zip(self.pairs.sides(case), self.pairs.pilots_of(case), strict=True):
            took = stages(pilot.trial)
            total += pilot.trial.wall - took.get("compile", 0.0) - took.get("steady", 0.0) + 1.4 * arm.runner.plan.seconds
        return total

    def _labels(self, arm: Arm) -> Mapping[str, str]:
        index = "base" if arm is self.pairs.base else "candidate"
        own = {CHECK: self.id, ARM: arm.name}
        for case in self.pairs.cases:
            look = self.looks.get(case.identity)
            if look is not None:
                own[f"{LEVEL}.{getattr(case, index)}"] = repr(look.level)
                own[f"{PASS_LEVEL}.{getattr(case, index)}"] = repr(look.pass_level)
        return own

    def _why_nothing(self) -> str:
        for arm in (self.pairs.base, self.pairs.candidate):
            for trial in arm.runner.journal.trials:
                if trial.status != "ok":
                    return f"{arm.name}: {trial.reason}"
        return "the two environments share no case"


def measured(pairs: Pairs, case: PairedCase) -> tuple[Case, Sequence[Trial], Sequence[Trial]]:
    """Return a case with the trials of the base and of the candidate that can be used."""
    base, candidate = (usable(trials_of(arm.runner.journal.trials, index)).trials for arm, index in pairs.sides(case))
    return pairs.candidate.runner.plan.cases[case.candidate].case, base, candidate


def describe(budget: Budget, cases: int) -> str:
    """What the check will do, and what it can find."""
    looks = ", ".join(str(look.pairs) for look in budget.looks)
    seconds = budget.pair_seconds * budget.most_pairs
    return (
        f"up to {budget.most_pairs} pairs of {cases} case{'s' if cases > 1 else ''}, about {seconds / 60:.1f} min, with looks after "
        f"{looks}; where pairs scatter by {100 * budget.scatter:.1f} %, a slow-down of {100 * budget.detectable:.1f} % is found "
        "four times in five"
    )


def refuse_same_code(base: Arm, candidate: Arm, folder: Path) -> None:
    """Raises NotComparableError where two interpreters measured the very same code in the very same versions."""
    if base.python == candidate.python:
        return  # meant: unchanged against unchanged
    code = [_code(arm) for arm in (base, candidate)]
    if code[0] and code[0] == code[1]:
        raise NotComparableError(
            f"{base.python} measures the same code and versions as this environment, so nothing is under test; install what the "
            f"base should be there (the trials are kept in {folder})"
        )


def _code(arm: Arm) -> tuple[object, ...]:
    """What really ran, from the workers' own reports, and the frameworks' versions."""
    packages = {
        tuple(sorted(rank.package.items())) for trial in arm.runner.journal.trials for rank in trial.ranks if rank.package
    }
    versions = {(d.backend, d.id): tuple(sorted(d.versions.items())) for d in arm.runner.plan.devices}
    python = arm.runner.plan.machine.facts.get("python", "")
    return (tuple(sorted(packages)), tuple(sorted(versions.items())), python) if packages else ()
