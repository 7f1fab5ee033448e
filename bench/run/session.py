"""A whole ``bench run``: discover, plan, prepare, lock, measure, seal."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from bench import __version__
from bench.entry_points import PluginRef
from bench.errors import BenchError, ExitCode, NotComparableError, PluginError, RecordError, UsageError
from bench.machine.host import ambient
from bench.record.files import NAME, read_record
from bench.record.scenarios import asked_for
from bench.record.schema import DataFacts, Finding, Machine, Record, Skip
from bench.run.crew import run_worker
from bench.run.discovery import FoundBackend, decoded, discover
from bench.run.folders import cache_folder, fresh_log, made
from bench.run.images import refuse_constant, refuse_unlabelled, tell, tell_understood
from bench.run.interruption import Interrupted, TimeIsUpError, interruptible, uninterrupted
from bench.run.journal import Ceilings, Journal
from bench.run.limits import STALL_SECONDS
from bench.run.lock import locked
from bench.run.plan import (
    Plan,
    PlannedCase,
    Wishes,
    check_options,
    check_wishes,
    choose_backends,
    device_facts,
    name_overridden,
    plan_cases,
    said_together,
)
from bench.run.privacy import private_command
from bench.run.process import Launch, Listener, ignore
from bench.run.progress import Progress
from bench.run.rounds import Judge
from bench.run.runner import Runner, workers_to_come
from bench.run.seal import seal
from bench.text.waiting import told
from bench.worker.answers import Looked, Prepared
from bench.worker.channel import Beat, Stage
from bench.worker.jobs import DataSpec, Identify, Job, Look, MakeGolden, Prepare

Answer = TypeVar("Answer")


class FailedWorkerError(BenchError):
    """A worker that everything else depends on did not do its job."""


def ask_worker(
    job: Job,
    answer: type[Answer],
    listen: Listener = ignore,
    stall: float = STALL_SECONDS,
    python: str = sys.executable,
) -> Answer:
    """Return the answer of a worker that a run cannot do without.

    Raises the worker's own error where it is the user's. However a plugin's code ends a worker, that is a PluginError. A worker of the
    harness alone that something else ended is a UsageError. FailedWorkerError is left for what its own code raises.
    """
    log = fresh_log(type(job).__name__.lower())
    said = ""

    def hear(event: Stage | Beat) -> None:
        nonlocal said
        if isinstance(event, Beat) and (event.total or event.text):
            said = f": {_far(event)}"
        speak_up()
        listen(event)

    with told(lambda: f"bench: {_DOING[type(job).__name__]}{said}") as speak_up:
        outcome = run_worker(Launch(job, log, interpreter=python, stall=stall), hear)
    if outcome.status == "ok":
        return decoded(outcome, answer, python)
    if outcome.status == "stalled":
        raise UsageError(f"a worker has {outcome.reason}; if this machine is only slow, give --stall-timeout more")
    if outcome.failure is not None and outcome.failure.kind == "usage":
        kind = NotComparableError if outcome.failure.exit_code == ExitCode.NOT_COMPARABLE else UsageError
        raise kind(outcome.reason)
    if outcome.failure is not None and outcome.failure.exit_code == ExitCode.USAGE:
        raise PluginError(f"{outcome.reason}; see {log}")
    trouble = f"'{type(job).__name__.lower()}' {outcome.status}: {outcome.reason}; see {log}"
    plugin = job.plugin if isinstance(job, Prepare | Look) else job.workload if isinstance(job, MakeGolden) else None
    if plugin is not None:
        raise PluginError(f"plugin '{plugin.name}' ({plugin.module}): {trouble}")
    if outcome.status in {"killed", "crashed", "out of memory"}:  # a native library that is broken here is outside, too
        raise UsageError(f"a worker was ended from outside: {trouble}")
    raise FailedWorkerError(f"a worker did not do its job: {trouble}")


_DOING = {
    "Identify": "describing this machine",
    "Prepare": "preparing images",
    "Look": "opening images",
    "MakeGolden": "computing a golden file",
}
"""What a worker is busy with, by the job."""


def _far(beat: Beat) -> str:
    """How far a worker is: ``512 of 2,048 images decoded``."""
    return f"{beat.done:,.0f} of {beat.total:,.0f} {beat.text}" if beat.total else beat.text


def identified(
    stall: float = STALL_SECONDS, keep_host_name: bool = False, python: str = sys.executable, salt: str = ""
) -> Machine:
    """Return this machine as a record has it, with the variables that the user had set in this process."""
    job = Identify(keep_host_name=keep_host_name, user=ambient(os.environ), salt=salt)
    return ask_worker(job, Machine, stall=stall, python=python)


def make_plan(
    wishes: Wishes, interpreters: Mapping[str, str], keep_host_name: bool = False, python: str = sys.executable
) -> Plan:
    """Discover and plan. Raises UsageError or NotComparableError before anything has started."""
    check_wishes(wishes)
    found = discover(wishes.backends or None, interpreters, python, wishes.stall)
    needs_backends = any(row.builds for row in asked_for(wishes.phases, wishes.scenarios))
    backends, skips = choose_backends(wishes, found) if needs_backends else ([], [])
    check_options(wishes, backends)
    workloads = [found.workload(wishes.workload, size) for size in wishes.sizes or found.usual_size(wishes.workload)]
    cases, more = plan_cases(wishes, backends, workloads)
    if not cases:
        reasons = said_together(skips + more) or "no device offers a precision that was asked for"
        raise NotComparableError(f"nothing can be measured here: {reasons}")
    if python == sys.executable:  # a check plans for both of its environments
        name_overridden(wishes, backends)
    machine = identified(wishes.stall, keep_host_name, python, wishes.salt)
    return new_plan(wishes, backends, cases, skips + more, machine)


def new_plan(
    wishes: Wishes, backends: Sequence[FoundBackend], cases: list[PlannedCase], skips: list[Skip], machine: Machine
) -> Plan:
    """Return the plan of a run that begins now and measures ``cases`` on these backends' devices."""
    identity, created = new_identity()
    machine = msgspec.structs.replace(machine, disk_free=shutil.disk_usage(cache_folder()).free)
    return Plan(
        id=identity,
        created=created,
        command=private_command(wishes.command),
        seed=wishes.seed,
        trials=wishes.trials,
        seconds=wishes.seconds,
        stall=wishes.stall,
        ceilings=wishes.ceilings,
        machines={"": machine},
        devices=device_facts(backends, machine),
        data=wishes.data,
        cases=cases,
        skips=skips,
        labels=wishes.labels,
        within=wishes.within,
        bench=__version__,
        salt=wishes.salt,
    )


def new_identity() -> tuple[str, str]:
    """The id of a run that begins now, and when that is (ISO 8601, UTC)."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}", now.isoformat(timespec="seconds")


def prepare_data(
    workloads: Sequence[tuple[PluginRef, str, str]],
    data: DataSpec,
    files: bool,
    listen: Listener = ignore,
    python: str = sys.executable,
    stall: float = STALL_SECONDS,
) -> dict[str, Prepared]:
    """Decoded images for every workload and size, and where ``files`` the image files too; keys are ``melanoma-small``."""
    prepared = {}
    for plugin, name, size in workloads:
        job = Prepare(plugin=plugin, workload=name, size=size, data=data, cache=str(cache_folder()), files=files)
        prepared[f"{name}-{size}"] = ask_worker(job, Prepared, listen, stall, python)
    return prepared


def prepare_plan(plan: Plan, listen: Listener = ignore, python: str = sys.executable) -> tuple[Plan, dict[str, Prepared]]:
    """Prepare the plan's images; cases without files to decode become skips."""
    needed = {(p.workload, p.case.workload, p.case.size): None for p in plan.cases}
    files = any(planned.case.how.reads_files for planned in plan.cases)
    prepared = prepare_data(list(needed), plan.data, files, listen, python, plan.stall)
    for planned in plan.cases:
        if planned.case.how.to_target:
            refuse_unlabelled(prepared[f"{planned.case.workload}-{planned.case.size}"])
            refuse_constant(planned.case.targets, prepared[f"{planned.case.workload}-{planned.case.size}"])

    def possible(planned: PlannedCase) -> bool:
        return not planned.case.how.reads_files or prepared[f"{planned.case.workload}-{planned.case.size}"].files > 0

    missing = [planned for planned in plan.cases if not possible(planned)]
    plan = msgspec.structs.replace(plan, images={name: facts.data.fingerprint for name, facts in prepared.items()})
    if not missing:
        return plan, prepared
    reasons = {f"{p.case.workload}-{p.case.size}": "" for p in missing}
    skips = [Skip(what=f"files of {name}", reason=prepared[name].no_files) for name in reasons]
    cases = [planned for planned in plan.cases if possible(planned)]
    if not cases:
        raise NotComparableError(f"nothing can be measured: {said_together([*skips, *plan.skips])}")
    return msgspec.structs.replace(plan, cases=cases, skips=plan.skips + skips), prepared


def look_at_images(plan: Plan, say: Callable[[str], None]) -> None:
    """Open the plan's images, decode none, and say what is understood of them. Raises UsageError for images that its run would refuse for
    what they are.

    Synthetic images are made as they are wanted, so there is nothing to look at.
    """
    if plan.data.path is None:
        return
    understood: list[tuple[DataFacts, Sequence[str]]] = []
    for plugin, name, size in {(planned.workload, planned.case.workload, planned.case.size): None for planned in plan.cases}:
        found = ask_worker(Look(plugin=plugin, workload=name, size=size, data=plan.data), Looked, stall=plan.stall)
        if any(planned.case.how.to_target for planned in plan.cases):
            refuse_unlabelled(found)
        understood.append((found.data, ()))
    tell(understood, say)


def start_run(plan: Plan, folder: Path, wait: bool, quiet: bool, judge: Judge | None = None) -> Record:
    """Measure a fresh plan into ``folder``. Interrupted, it seals what it has (``complete`` is then False) and raises Interrupted.

    ``judge`` is needed where the plan says how narrow intervals shall be. The end of the time is then no interruption, once all
    planned rounds are done.
    """
    made(folder.parent, "results", "--output")
    with locked([planned.physical for planned in plan.cases], wait), interruptible():
        progress = Progress(0, quiet)
        progress.say("preparing images …")
        plan, prepared = prepare_plan(plan, _told(progress))
        tell_understood(prepared, progress.say)
        return measure_plan(plan, Journal.create(folder, plan), prepared, quiet, plan.machine.findings, judge)


def measure_plan(
    plan: Plan,
    journal: Journal,
    prepared: Mapping[str, Prepared],
    quiet: bool,
    findings: Sequence[Finding],
    judge: Judge | None,
) -> Record:
    """Do what the journal lacks of the plan, and seal it. Interrupted, it seals what there is and raises Interrupted."""
    runner = None
    try:
        with Progress(workers_to_come(plan, journal), quiet, at_least=plan.within > 0) as progress:
            for finding in findings:
                if finding.severity == "warning":
                    progress.say(f"warning: {finding.name}: {finding.found}; remedy: {finding.remedy}")
            runner = Runner(plan, journal, prepared, progress, judge=judge)
            runner.run()
    except Interrupted as interrupt:
        with uninterrupted():
            out_of_time = bool(plan.within) and isinstance(interrupt, TimeIsUpError)
            record = seal_what_there_is(plan, journal.folder, prepared, out_of_time)
            if record is None or not record.complete:
                raise
            if runner is not None:
                runner.tidy()
            return record
    with uninterrupted():
        return seal(plan, journal, prepared, complete=True)


def seal_what_there_is(plan: Plan, folder: Path, prepared: Mapping[str, Prepared], may_be_whole: bool) -> Record | None:
    """Seal an interrupted run if it has measured anything. What stands in the way is said: the interruption counts for more.

    ``may_be_whole``: the record is complete where every planned trial has been made.
    """
    try:
        journal, _ = Journal.open(folder)  # a trial may have reached the disk in the moment of the signal
        if journal.trials or any(isinstance(entry, Ceilings) for entry in journal.entries):
            return seal(plan, journal, prepared, complete=may_be_whole and not workers_to_come(plan, journal))
    except (BenchError, OSError) as error:
        print(f"bench: what was measured is not sealed: {error}", file=sys.stderr, flush=True)
    return None


def is_complete(folder: Path) -> bool:
    """Whether a run's folder holds the record of a run that was finished; a damaged record is none."""
    try:
        return (folder / NAME).is_file() and read_record(folder).complete
    except RecordError:
        return False


def _told(progress: Progress) -> Listener:
    last = 0.0

    def listen(event: Stage | Beat) -> None:
        nonlocal last
        if isinstance(event, Beat) and event.total and event.done / event.total - last >= 0.25:
            last = event.done / event.total
            progress.say(f"  {_far(event)}")

    return listen
