"""Carrying out a plan: ceilings, pilots, then trials interleaved in balanced random order, each journalled as it ends."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from bench.machine.conditions import HOST
from bench.machine.environment import dropped_variables
from bench.machine.other_work import OtherWork, family_seconds
from bench.record.schema import Case, Ceiling, Skip, Trial, like
from bench.run.crew import run_at_once
from bench.run.journal import Ceilings, Chosen, Done, Journal, Pilot, Settled, Skipped
from bench.run.plan import Plan, PlannedCase
from bench.run.process import Launch, Outcome
from bench.run.progress import Progress
from bench.run.remembered import CEILINGS, CHOICES, ceiling_key, choice_key
from bench.run.rounds import Judge, brief, needs_more, ready, round_orders
from bench.run.trial import trial_of
from bench.text.file_names import printable
from bench.worker.answers import Choice, Prepared, RankResult, Reached
from bench.worker.jobs import Job, Measure, MeasureCeiling, Search

CEILING_SECONDS = 10.0
PILOT_SECONDS = 8.0
OVERHEAD_SECONDS = 4.0
EPOCH_SECONDS = 5.0


@dataclass
class Runner:
    """One run in progress."""

    plan: Plan
    journal: Journal
    prepared: Mapping[str, Prepared]  # by workload and size
    progress: Progress
    shared: Path | None = None  # compiled programs that several runs have in common, and none of them removes
    judge: Judge | None = None  # whether a case needs trials beyond the planned ones; None: none does

    def run(self) -> None:
        """Do whatever the journal does not hold yet."""
        self.begin()
        self._measure_ceilings()
        self.pilots()
        for number, order in enumerate(round_orders(len(self.plan.cases), self.plan.seed)):
            chosen = order if number < self.plan.trials else self._still_wide(order, number)
            if not chosen:
                break
            for index in chosen if number >= self.plan.begins else ():
                while ready(self.plan, self.journal, index) and not self.journal.has_trial(index, number):
                    self._trial(index, number, self.journal.pilot(index))
        self.tidy()

    def begin(self) -> None:
        """Make ready for workers, before the first one of a run and of each time that it is gone on with.

        A run that is gone on with compiles anew: nobody knows which of its compiled programs the interruption left whole.
        """
        self.tidy()
        self._name_dropped()

    def _name_dropped(self) -> None:
        """Name in the run's logs the variables that its workers do not get; their values stay with the user."""
        names = " ".join(map(printable, dropped_variables())) or "none"
        log = self.journal.folder / "logs" / "environment.log"
        with suppress(OSError):  # for the user's information only; what is measured does not depend on it
            log.parent.mkdir(exist_ok=True)
            log.write_text(f"variables that workers do not get (--pass-env NAME hands one on): {names}\n", encoding="utf-8")

    def _still_wide(self, order: Sequence[int], number: int) -> list[int]:
        """The cases that get a trial in a round beyond the planned ones."""
        if self.judge is None or number >= self.plan.most_trials:
            return []
        return [index for index in order if needs_more(self.plan, self.journal, index, self.judge)]

    def pilots(self) -> None:
        """The pilots that are still to come, and searches for trainings to their target, which have none."""
        for index, planned in enumerate(self.plan.cases):
            if self.journal.skipped(index):
                continue
            if not planned.case.how.pilot:
                if planned.search and self.journal.chosen(index) is None:
                    known = self.journal.settled(index)
                    choice = Choice(known.options, known.chosen) if known else self._choice(planned, planned.case)
                    self.journal.add(Chosen(case=index, options=choice.options, chosen=choice.note))
            elif self.journal.pilot(index) is None:
                self._pilot(index)

    def tidy(self) -> None:
        """Remove compiled programs, which nobody needs any more."""
        if self.shared is None:
            shutil.rmtree(self.compiled, ignore_errors=True)

    @property
    def compiled(self) -> Path:
        """Where compiled programs are kept."""
        return self.shared or self.journal.folder / "compiled"

    def compiled_by(self, backend: str) -> Path:
        """A backend's own part of it, so that what others keep there is not taken for this one's."""
        return self.compiled / backend

    def _measure_ceilings(self) -> None:
        for planned in ceiling_cases(self.plan):
            key = ceiling_key(planned.case, self.plan.devices)
            if self.journal.ceilings(key) is not None:
                continue
            known = CEILINGS.recall(self.plan.machine.fingerprint, key)
            if known is None or not all(0 < ceiling.rate < math.inf for ceiling in known):
                known = self._ceiling(planned, key)
            self.journal.add(Ceilings(key=key, ceilings=known))

    def _ceiling(self, planned: PlannedCase, key: str) -> list[Ceiling]:
        """Measure, and keep for later runs what was measured while nobody else used the machine: a ceiling that is too low would speak
        against good figures for as long as it is remembered."""
        case, outside = planned.case, OtherWork(own=family_seconds)
        title = f"ceiling {case.device} {case.precision}"
        job = MeasureCeiling(case=case, backend=planned.backend, workload=planned.workload)
        (outcome,) = self._work([self.launch(planned, job, f"ceiling-{case.backend}-{case.precision}")], title)
        if outcome.status != "ok":
            self.journal.add(Skipped(skip=Skip(what=title, reason=outcome.reason)))
            return []
        alone = not outside.busy() or planned.physical != HOST
        found = [
            like(
                Ceiling,
                reached,
                physical=planned.physical,
                precision=case.precision,
                backend=case.backend,
                measured=outcome.started,
            )
            for reached in msgspec.json.decode(outcome.value, type=list[Reached])
        ]
        if alone:
            CEILINGS.remember(self.plan.machine.fingerprint, {key: found})
        else:
            self.progress.say("  other processes used this machine meanwhile: these ceilings are not kept for later runs")
        return found

    def _pilot(self, index: int) -> None:
        """Where the batch size is open, a pilot finds the fastest in the usual way, and ways are searched at that size and those beside it.
        Another way or size than the pilot's gets its own pilot."""
        if (known := self.journal.settled(index)) is not None:
            self._pilot_anew(index, known)
            return
        planned = self.plan.cases[index]
        choice = self._known_choice(planned) if len(planned.candidates) > 1 else self._choice(planned, planned.case)
        found = self._piloted(index, choice or Choice({}, ""))
        if found is not None and found[1] is None and choice is not None and choice.batch_size:
            # What an earlier run found does not work now, as where others use the device's memory: it is chosen anew.
            choice = None
            found = self._piloted(index, Choice({}, ""), counts=False)
        if found is not None and found[1] is not None and choice is None:
            usual = found[1]
            case = msgspec.structs.replace(planned.case, batch_size=usual.batch_size)
            choice = self._choice(planned, case, before=usual.chosen)
            if choice.options or choice.batch_size not in {0, usual.batch_size}:
                found = self._piloted(index, choice, counts=False)
        if found is None:
            return
        trial, measured = found
        if measured is None or choice is None:
            self.journal.add(Pilot(trial=trial, blocks=None))
            return
        chosen = choice.note if choice.batch_size else _joined(measured.chosen, choice.note)
        self.journal.add(
            Pilot(trial=trial, blocks=measured.blocks, batch_size=measured.batch_size, options=choice.options, chosen=chosen)
        )

    def _pilot_anew(self, index: int, known: Settled) -> None:
        """Measure a pilot whose line in the journal is lost, as the trials after it say that it was settled: they stay alike."""
        found = self._piloted(index, Choice(known.options, known.chosen, known.batch_size))
        if found is not None:
            trial, measured = found
            own = msgspec.structs.asdict(known) if measured is not None else {"blocks": None}
            self.journal.add(Pilot(trial=trial, **own))

    def _piloted(self, index: int, choice: Choice, counts: bool = True) -> tuple[Trial, RankResult | None] | None:
        """One pilot in a fresh process, of the choice's batch size, or of the one it finds; None where the backend cannot run the case,
        which is then skipped."""
        planned = self.plan.cases[index]
        case = msgspec.structs.replace(planned.case, options=planned.case.options | choice.options)
        job = self._job(case, planned, seed=self.plan.seed)
        if choice.batch_size:
            case = msgspec.structs.replace(case, batch_size=choice.batch_size)
            job = msgspec.structs.replace(job, case=case, candidates=())
        title, log = f"pilot  {planned.case.label}", f"case{index:02d}-pilot"
        outcomes = self._work(self.launches(planned, job, log), title, counts)
        if self._unsupported(index, outcomes):
            return None
        if any(
            one.status == "killed" and not one.dragged for one in outcomes
        ):  # from outside: a whole case is worth a second try
            self.progress.say("  the pilot is tried once more")
            outcomes = self._work(self.launches(planned, job, f"{log}-again"), title)
        return self._trial_of(outcomes, index, 0, "pilot")

    def _unsupported(self, index: int, outcomes: Sequence[Outcome]) -> bool:
        """Whether the backend cannot run the case, which is then skipped."""
        found = next((one for one in outcomes if one.skipped), None)
        if found is not None:
            self.journal.add(Skipped(skip=Skip(what=self.plan.cases[index].case.label, reason=found.reason), case=index))
        return found is not None

    def _choice_key(self, planned: PlannedCase) -> str:
        digest = self.prepared[f"{planned.case.workload}-{planned.case.size}"].workload.digest
        return choice_key(_searched(planned.case), self.plan.devices, digest, self.plan.bench, planned.candidates)

    def _known_choice(self, planned: PlannedCase) -> Choice | None:
        if not planned.search:
            return Choice({}, "")
        return CHOICES.recall(self.plan.machine.fingerprint, self._choice_key(planned))

    def _choice(self, planned: PlannedCase, case: Case, before: str = "") -> Choice:
        """The way in which to run a case: as an earlier search has found, or as one does now. ``before``: how its batch size was
        found, where a pilot has just done so."""
        known = None if before else self._known_choice(planned)
        if known is not None:
            return known
        measure = msgspec.structs.asdict(self._job(_searched(case), planned, seed=self.plan.seed))
        job = Search(**measure | {"cache": None})  # what it compiles must not warm what is measured
        log = f"case{self.plan.cases.index(planned):02d}-search"
        (outcome,) = self._work([self.launch(planned, job, log)], f"search {planned.case.label}", counts=False)
        if outcome.status != "ok":  # the pilot runs in the usual way, and tells if that fails too
            return Choice({}, f"the search ended: {outcome.status}")
        choice = msgspec.json.decode(outcome.value, type=Choice)
        if choice.batch_size:
            choice = msgspec.structs.replace(choice, note=_joined(before, choice.note))
        if choice.note:
            CHOICES.remember(self.plan.machine.fingerprint, {self._choice_key(planned): choice})
        return choice

    def _trial(self, index: int, number: int, pilot: Pilot | None) -> None:
        planned = self.plan.cases[index]
        job = self.trial_job(index, number, pilot)
        title = f"trial {number + 1} {job.case.label}"
        how = brief(self.journal, index, number, self.plan.trials)
        launches = [replace(one, brief=how) for one in self.launches(planned, job, f"case{index:02d}-trial{number}")]
        first = pilot is None and not any(trial.case == index for trial in self.journal.trials)
        outcomes = self._work(launches, title, may_skip=first)
        # What a pilot or an earlier trial could do, the backend does not lack: then it is a trial that failed.
        if not (first and self._unsupported(index, outcomes)):
            self.keep_trial(outcomes, index, number)

    def trial_job(self, index: int, number: int, pilot: Pilot | None) -> Measure:
        """The job of one trial of a case, as its pilot settled it; where there is none, the first trial compiles."""
        planned = self.plan.cases[index]
        settled = settled_case(planned.case, pilot or self.journal.chosen(index))
        job = self._job(settled, planned, seed=self.plan.seed + 1 + number)
        if pilot is None:
            cached = any(trial.case == index and trial.status in {"ok", "disturbed"} for trial in self.journal.trials)
            return msgspec.structs.replace(job, candidates=(), cached=cached)
        return msgspec.structs.replace(job, blocks=pilot.blocks, candidates=(), cached=bool(pilot.trial.compile))

    def launch(self, planned: PlannedCase, job: Job, log: str) -> Launch:
        """How a worker of this run is started."""
        place = self.journal.folder / "logs" / f"{log}.log"
        place.parent.mkdir(exist_ok=True)  # somebody may have cleared the logs away; the run's own folder is not made again
        return Launch(job, place, planned.case.environment, planned.interpreter, self.plan.stall)

    def launches(self, planned: PlannedCase, job: Measure, log: str) -> list[Launch]:
        """How the ranks of a trial are started, one for each of the case's places."""
        places = len(job.case.places)
        jobs = [msgspec.structs.replace(job, rank=rank) for rank in range(places)]
        return [self.launch(planned, one, log if places == 1 else f"{log}-rank{one.rank}") for one in jobs]

    def keep_trial(self, outcomes: Sequence[Outcome], index: int, number: int) -> None:
        """Put a finished trial, as its ranks ended, into the journal."""
        self.journal.add(Done(trial=self.finished(outcomes, index, number)))

    def finished(self, outcomes: Sequence[Outcome], index: int, number: int) -> Trial:
        """The trial of a case whose ranks have ended so."""
        return self._trial_of(outcomes, index, number, "trial")[0]

    def _job(self, case: Case, planned: PlannedCase, seed: int) -> Measure:
        folder = self.compiled_by(case.backend)
        folder.mkdir(parents=True, exist_ok=True)
        return Measure(
            case=case,
            backend=planned.backend,
            workload=planned.workload,
            prepared=self.prepared[f"{case.workload}-{case.size}"].folder,
            cache=str(folder.absolute()),
            seconds=self.plan.seconds,
            seed=seed,
            candidates=planned.candidates,
            salt=self.plan.salt,
        )

    def _work(self, launches: Sequence[Launch], title: str, counts: bool = True, may_skip: bool = True) -> list[Outcome]:
        self.progress.start(title, expected_seconds(self.plan, self.journal))
        outcomes = run_at_once(launches, self.progress.hear)
        troubles = [one.trouble if may_skip or not one.skipped else f"{one.status}: {one.reason}" for one in outcomes]
        trouble = "; ".join(text for one, text in zip(outcomes, troubles, strict=True) if text and not one.dragged)
        self.progress.finish(trouble, counts)
        return outcomes

    def _trial_of(
        self, outcomes: Sequence[Outcome], case: int, number: int, role: Literal["pilot", "trial"]
    ) -> tuple[Trial, RankResult | None]:
        trial, measured = trial_of(outcomes, case, number, role, self.journal.next_order)
        for check in trial.checks:
            if not check.passed:
                self.progress.say(f"  check failed: {check.name}: {check.detail}")
        return trial, measured


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def settled_case(case: Case, found: Pilot | Chosen | None) -> Case:
    """The case with what its pilot, or a search alone, chose."""
    if found is None:
        return case
    settled = msgspec.structs.replace(case, options=case.options | found.options, chosen=found.chosen)
    if isinstance(found, Pilot) and found.batch_size:
        return msgspec.structs.replace(settled, batch_size=found.batch_size)
    return settled


def _searched(case: Case) -> Case:
    """What is searched for a case: a training step is the same, wherever its images come from and whenever training ends."""
    as_scenario = case.how.searched_as
    return case if as_scenario is None else msgspec.structs.replace(case, scenario=as_scenario, epochs=0, targets={})


def ceiling_cases(plan: Plan) -> list[PlannedCase]:
    """One case per backend, device and precision that computes."""
    seen: dict[tuple[str, str, str], PlannedCase] = {}
    for planned in plan.cases if plan.ceilings else ():
        case = planned.case
        if planned.backend is not None:
            seen.setdefault((case.backend, case.device, case.precision), planned)
    return list(seen.values())


def workers_to_come(plan: Plan, journal: Journal) -> int:
    """Ceilings, pilots and planned trials still to do; searches and rounds beyond the planned ones are not foreseen."""
    total = sum(not _ceiling_known(planned, plan, journal) for planned in ceiling_cases(plan))
    for index, planned in enumerate(plan.cases):
        if not journal.skipped(index):
            total += planned.case.how.pilot and journal.pilot(index) is None
            total += trials_to_come(plan, journal, index)
    return total


def trials_to_come(plan: Plan, journal: Journal, index: int) -> int:
    """How many of the planned trials of a case are still to be made."""
    made = {entry.trial.number for entry in journal.entries if isinstance(entry, Done) and entry.trial.case == index}
    return sum(number not in made or not journal.has_trial(index, number) for number in range(plan.begins, plan.trials))


def _ceiling_known(planned: PlannedCase, plan: Plan, journal: Journal | None) -> bool:
    key = ceiling_key(planned.case, plan.devices)
    known = journal is not None and journal.ceilings(key) is not None
    return known or CEILINGS.recall(plan.machine.fingerprint, key) is not None


def expected_seconds(plan: Plan, journal: Journal | None = None) -> float:
    """Rough seconds of planned work still to do: what finished workers of a case took, or a guess."""
    total = 0.0
    for planned in ceiling_cases(plan):
        total += 0.0 if _ceiling_known(planned, plan, journal) else CEILING_SECONDS
    for index, planned in enumerate(plan.cases):
        pilot = None if journal is None else journal.pilot(index)
        guess = plan.seconds + OVERHEAD_SECONDS
        if not planned.case.how.pilot:
            guess = planned.case.epochs * EPOCH_SECONDS + OVERHEAD_SECONDS
        elif pilot is None:
            total += PILOT_SECONDS + (plan.trials - plan.begins) * guess
            continue
        elif pilot.blocks is None:
            continue
        entries = [] if journal is None else journal.entries
        done = [entry.trial.wall for entry in entries if isinstance(entry, Done) and entry.trial.case == index]
        each = sum(done) / len(done) if done else guess
        total += each * (plan.trials if journal is None else trials_to_come(plan, journal, index))
    return total
