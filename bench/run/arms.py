"""Two environments measured side by side: pairs of workers, one of each arm, alive at once and working in turns.

Processes one after the other differ by what the machine did in between: on a shared two-core machine processes that train the
same network scattered by 6.8 % one after the other, by 2.0 % taking turns (docs/verdicts.md).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from bench.errors import NotComparableError
from bench.record.schema import Record
from bench.run.crew import run_in_turns
from bench.run.journal import MOST_TRIES, Done, Journal, Pilot
from bench.run.plan import Plan, PlannedCase
from bench.run.process import Launch
from bench.run.progress import Progress
from bench.run.resumption import prepare_again, reopened
from bench.run.rounds import brief
from bench.run.runner import Runner
from bench.run.seal import seal
from bench.run.session import prepare_plan, seal_what_there_is
from bench.worker.jobs import Blocks

FIRST_PAIRS = 2
"""A check measures so many pairs of a case at least; one of them is checked on many images (``bench.run.rounds.brief``)."""


@dataclass
class Arm:
    """One environment of a check, and its part of the run."""

    name: str
    python: str
    runner: Runner


@dataclass(frozen=True)
class PairedCase:
    """A case that both arms can measure: its place in either plan."""

    identity: str
    label: str
    base: int
    candidate: int


class Pairs:
    """A check in progress: arms, the cases they share, and the pairs measured so far."""

    def __init__(self, arms: Sequence[Arm], progress: Progress, seed: int) -> None:
        self.base, self.candidate = arms
        self._progress = progress
        self._seed = seed
        self.cases = shared_cases(self.base.runner.plan, self.candidate.runner.plan)
        self.seconds: dict[str, float] = {}  # of the last pair, by case

    def sides(self, case: PairedCase) -> list[tuple[Arm, int]]:
        """Return the base and the candidate, each with the case's place in its plan."""
        return [(self.base, case.base), (self.candidate, case.candidate)]

    def made(self, case: PairedCase, number: int) -> bool:
        """Return whether a pair of a case was measured before the check was interrupted. A pair of which one side alone was kept counts too:
        it is not measured again."""
        return any(arm.runner.journal.has_trial(index, number) for arm, index in self.sides(case))

    def pilots_of(self, case: PairedCase) -> list[Pilot]:
        """Return the pilots of both arms that can be measured by."""
        found = [arm.runner.journal.pilot(index) for arm, index in self.sides(case)]
        return [pilot for pilot in found if pilot is not None and pilot.blocks is not None]

    def pilots(self) -> list[PairedCase]:
        """Run the pilots of both arms; the cases that can be measured, cut into samples alike on both sides."""
        for arm in (self.base, self.candidate):
            arm.runner.pilots()
        return [case for case in self.cases if len(self.pilots_of(case)) == 2]

    def measure(self, case: PairedCase, number: int) -> None:
        """Measure one pair of a case, and write it into both journals.

        A pair of which a trial was disturbed is measured again, within limits: its other trial is then left out, since the two are
        compared only where they took turns.
        """
        blocks = self._blocks(case)
        sides = self.sides(case)
        if candidate_begins(self._seed, case.identity, number):
            sides.reverse()
        before = [self._disturbed(arm, index, number) for arm, index in sides]  # where the check was interrupted
        for tries in range(1 + max(before), MOST_TRIES + 1):
            launches = [_launch(arm, index, number, blocks) for arm, index in sides]
            self._progress.start(f"pair {number + 1} {case.label}", 0.0)
            outcomes = run_in_turns(launches, self._progress.hear)
            self._progress.finish()
            ended = list(zip(sides, outcomes, strict=True))
            for (arm, _), outcome in ended:
                if outcome.status != "ok":
                    self._progress.say(f"  {arm.name}: {outcome.status}: {outcome.reason}")
            pair = [(arm, arm.runner.finished([outcome], index, number)) for (arm, index), outcome in ended]
            disturbed = [(arm, trial) for arm, trial in pair if trial.status == "disturbed"]
            last = not disturbed or tries == MOST_TRIES
            for arm, trial in pair if last else disturbed:
                arm.runner.journal.add(Done(trial=trial))
            if last:
                break
            self._progress.say(f"  measured again: {disturbed[0][1].reason}")
        self.seconds[case.identity] = sum(outcome.wall for outcome in outcomes) / 2

    def _disturbed(self, arm: Arm, index: int, number: int) -> int:
        """How often a trial was made in vain."""
        return sum(
            (trial.case, trial.number, trial.status) == (index, number, "disturbed") for trial in arm.runner.journal.trials
        )

    def _blocks(self, case: PairedCase) -> Blocks:
        """Both arms cut their time into blocks alike: as the slower arm's pilot did, whose blocks have fewer steps, and with the
        longer of the two warm-ups. The number of steady blocks is even, so that either arm begins as many rounds."""
        blocks = [pilot.blocks for pilot in self.pilots_of(case) if pilot.blocks is not None]
        slower = min(blocks, key=lambda cut: cut.steps)
        warm = max(cut.steps * cut.warmup for cut in blocks)
        detected = all(cut.detected for cut in blocks)
        samples = slower.samples + slower.samples % 2
        return msgspec.structs.replace(slower, warmup=math.ceil(warm / slower.steps), samples=samples, detected=detected)

    def seal(self, labels: Mapping[str, Mapping[str, str]]) -> tuple[Record, Record]:
        """Write both arms' records, with labels by arm, and return them."""
        records = []
        for arm in (self.base, self.candidate):
            arm.runner.tidy()
            plan = _labelled(arm, labels[arm.name])
            records.append(seal(plan, arm.runner.journal, arm.runner.prepared, complete=True))
        return records[0], records[1]

    def seal_what_there_is(self, labels: Mapping[str, Mapping[str, str]]) -> bool:
        """Write the records of an interrupted check, as incomplete; return whether there is any."""
        sealed = [
            seal_what_there_is(_labelled(arm, labels[arm.name]), arm.runner.journal.folder, arm.runner.prepared, False)
            for arm in (self.base, self.candidate)
        ]
        return any(record is not None for record in sealed)


def _labelled(arm: Arm, labels: Mapping[str, str]) -> Plan:
    return msgspec.structs.replace(arm.runner.plan, labels=arm.runner.plan.labels | dict(labels))


def candidate_begins(seed: int, identity: str, number: int) -> bool:
    """Return whether the candidate's process is started first, and begins the first round, in a pair of a case.

    Of each two successive pairs, of numbers 2k and 2k + 1, either arm begins one. Which of them is drawn, for each case on its own.
    """
    first = random.Random(f"{seed} {identity} {number // 2}").random() < 0.5
    return first != bool(number % 2)


def _launch(arm: Arm, index: int, number: int, blocks: Blocks) -> Launch:
    own = arm.runner.journal.pilot(index)
    assert own is not None
    job = arm.runner.trial_job(index, number, msgspec.structs.replace(own, blocks=blocks))
    job = msgspec.structs.replace(job, in_turns=True)
    how = brief(arm.runner.journal, index, number, FIRST_PAIRS)
    return replace(arm.runner.launch(arm.runner.plan.cases[index], job, f"case{index:02d}-pair{number}"), brief=how)


def shared_cases(base: Plan, candidate: Plan) -> list[PairedCase]:
    """Cases planned on both sides, in the candidate's order."""
    known = {planned.case.identity: index for index, planned in enumerate(base.cases)}
    return [
        PairedCase(planned.case.identity, planned.case.label, known[planned.case.identity], index)
        for index, planned in enumerate(candidate.cases)
        if planned.case.identity in known
    ]


def start_arm(name: str, python: str, plan: Plan, folder: Path, progress: Progress) -> Arm:
    """Prepare an arm's images and open its journal. No pilot chooses a batch size: both arms run the middle candidate."""
    plan = msgspec.structs.replace(plan, cases=[_settled(planned) for planned in plan.cases])
    plan, prepared = prepare_plan(plan, python=python)
    return _begun(name, python, Runner(plan, Journal.create(folder / name, plan), prepared, progress))


def resume_arm(name: str, python: str, folder: Path, progress: Progress) -> Arm:
    """Open the journal of an arm that was interrupted, and prepare its images. Raises as ``resume_run`` does."""
    journal, plan = reopened(folder / name, folder.resolve().parent)
    prepared, _ = prepare_again(plan, folder / name, python)
    return _begun(name, python, Runner(plan, journal, prepared, progress))


def _begun(name: str, python: str, runner: Runner) -> Arm:
    runner.begin()
    return Arm(name, python, runner)


def _settled(planned: PlannedCase) -> PlannedCase:
    if not planned.candidates:
        return planned
    case = msgspec.structs.replace(planned.case, batch_size=planned.candidates[len(planned.candidates) // 2])
    return msgspec.structs.replace(planned, case=case, candidates=())


def refuse_different_work(base: Arm, candidate: Arm) -> None:
    """Raises NotComparableError where the two arms would compute different things on a workload of one name."""
    for name, prepared in candidate.runner.prepared.items():
        other = base.runner.prepared.get(name)
        if other is not None and other.workload.digest != prepared.workload.digest:
            raise NotComparableError(
                f"{name} is another computation in the base (specification {other.workload.digest[:12]}) than in the candidate "
                f"({prepared.workload.digest[:12]}); their times cannot be compared"
            )
