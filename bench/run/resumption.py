"""Going on with a run that was interrupted, and extending one that was complete."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import __version__
from bench.entry_points import PluginRef, find_plugins
from bench.errors import NotComparableError, RecordError, UsageError
from bench.machine.environment import worker_environment
from bench.record.files import NAME, read_record
from bench.record.schema import Extended, Machine, Record
from bench.run.discovery import discover, survey
from bench.run.folders import salt_of
from bench.run.interruption import interruptible
from bench.run.journal import JOURNAL, Journal, read_plan
from bench.run.limits import checked_stall
from bench.run.lock import locked
from bench.run.plan import MOST_TRIALS, Plan
from bench.run.rounds import Judge, needs_more
from bench.run.session import identified, is_complete, measure_plan, new_identity, prepare_plan
from bench.worker.answers import Prepared


class More(NamedTuple):
    """What a complete run is extended by, and where."""

    into: Path  # the new run's folder
    rounds: int | None = (
        None  # that every case takes part in; None: as many as were planned, or none where ``within`` is wished for
    )
    within: float | None = None  # as in ``Wishes``; None: as the run had it, or none where ``rounds`` says how many


def resume_run(
    folder: Path,
    wait: bool,
    quiet: bool,
    judge: Judge | None,
    more: More | None = None,
    stall: float | None = None,
    interpreters: Mapping[str, str] | None = None,
) -> Record:
    """Finish an interrupted run in its folder; its incomplete record, if it has one, is replaced by the whole one. A complete record is
    never replaced: where another process has finished the run meanwhile, its record is returned.

    ``more``: extend a complete run instead; a new record, in a new folder, holds its trials and the new ones. ``stall``: another limit of
    silence than planned. ``interpreters``: other Pythons, by plugin, that the plan may start. Raises NotComparableError on another
    machine than the one it began on, UsageError where nothing is to be added.
    """
    plan = read_plan(folder)
    refuse_other_programs(plan, folder, interpreters or {})
    with locked([planned.physical for planned in plan.cases], wait), interruptible():
        # Only now: another process may have gone on with it while this one waited.
        if more is None and is_complete(folder):
            print(f"bench: the run in {folder} has been finished meanwhile", file=sys.stderr, flush=True)
            return read_record(folder)
        journal, plan = reopened(folder, (folder if more is None else more.into).resolve().parent)
        if more is not None:
            assert judge is not None
            plan = _extended(plan, journal, more, judge)
        plan = msgspec.structs.replace(plan, stall=plan.stall if stall is None else checked_stall(stall))
        prepared, machine = prepare_again(plan, folder, interpreters=interpreters)
        if more is not None:
            plan = msgspec.structs.replace(plan, created=new_identity()[1], machines={"": machine})
            journal = Journal.create(more.into, plan, journal.entries)
        return measure_plan(plan, journal, prepared, quiet, machine.findings, judge)


def reopened(folder: Path, results: Path) -> tuple[Journal, Plan]:
    """Return an interrupted run, to be gone on with by whoever holds its locks; damaged lines of its journal are named on standard
    error.

    ``results``: the folder of results that it goes on in, whose salt the plan gets again. Raises RecordError where there is no such run, or
    where its record holds what its journal has lost.
    """
    journal, plan = Journal.open(folder)
    _refuse_lost_trials(journal)
    _tell_damaged(journal)
    return journal, msgspec.structs.replace(plan, salt=salt_of(results))


def refuse_other_programs(plan: Plan, folder: Path, named: Mapping[str, str], python: str | None = None) -> None:
    """Raises UsageError where the plan, a file that others may have written, names a program that the command line does not, or a plugin
    that is not installed so.

    ``named``: programs by plugin. ``python``: the one that all others run under; None is the present one.
    """
    installed: Sequence[PluginRef] | None = None
    for planned in plan.cases:
        plugin = (planned.backend or planned.workload).name
        if not _same_program(planned.interpreter, named.get(plugin, python or sys.executable)):
            remedy = f"if you trust that program, add --interpreter {plugin}={planned.interpreter}"
            raise UsageError(
                f"the run in {folder} would start {planned.interpreter} for plugin '{plugin}', which is not the Python named here: "
                f"{remedy if python is None else 'name the environment that it began with'}"
            )
        if installed is None:
            installed = find_plugins() if python in {None, sys.executable} else survey(str(python), plan.stall).plugins
        for ref in (planned.backend, planned.workload):
            if ref is not None and ref not in installed:
                raise UsageError(
                    f"the run in {folder} would import {ref.module} of package '{ref.distribution}' as plugin '{ref.name}', which is not "
                    "installed so for the Python that runs it; put things back as they were, or start a new run"
                )


def _same_program(one: str, other: str) -> bool:
    """Whether two paths name one interpreter of one environment, as ``python`` and ``python3`` of its folder do."""
    paths = Path(one), Path(other)
    alike = paths[0].parent.resolve() == paths[1].parent.resolve() and paths[0].resolve() == paths[1].resolve()
    return one == other or alike


def prepare_again(
    plan: Plan, folder: Path, python: str = sys.executable, interpreters: Mapping[str, str] | None = None
) -> tuple[dict[str, Prepared], Machine]:
    """Return the images of an interrupted run, and this machine as it is now.

    Raises NotComparableError where machine, images, harness or frameworks are not what the run began with.
    """
    machine = identified(plan.stall, python=python, salt=plan.salt)
    if machine.fingerprint != plan.machine.fingerprint:
        raise NotComparableError(
            f"the run in {folder} began on another machine (fingerprint {plan.machine.fingerprint}, here "
            f"{machine.fingerprint}); resume it there, or start a new run here"
        )
    found, prepared = prepare_plan(plan, python=python)
    _refuse_other_software(plan, found, folder, python, interpreters)
    return prepared, machine


def _extended(plan: Plan, journal: Journal, more: More, judge: Judge) -> Plan:
    """The plan of a run that goes on where a complete one ended. Raises UsageError where it would add nothing, or too much."""
    within = more.within if more.within is not None else plan.within if more.rounds is None else 0.0
    rounds = more.rounds if more.rounds is not None else 0 if within else plan.trials - plan.begins
    if not journal.trials:
        raise UsageError(f"the run in {journal.folder} measured nothing, so there is nothing to extend; start a new run")
    begins = 1 + max(trial.number for trial in journal.trials)
    if begins + rounds > MOST_TRIALS:
        raise UsageError(f"{begins} rounds and {rounds} more are not possible; expected {MOST_TRIALS:,} at most")
    extends = [*plan.extends, Extended(id=plan.id, created=plan.created)]
    plan = msgspec.structs.replace(
        plan, id=more.into.name, begins=begins, trials=begins + rounds, within=within, extends=extends
    )
    if not rounds and not any(needs_more(plan, journal, index, judge) for index in range(len(plan.cases))):
        raise UsageError(
            f"no rate of the run in {journal.folder} would become narrower than ± {within:g} % by more trials: each is already, or is not "
            "proven; ask for less with --within, or for rounds of every case with --trials"
        )
    return plan


def _refuse_lost_trials(journal: Journal) -> None:
    """Raises RecordError where the run's record holds trials that its journal has lost."""
    try:
        sealed = read_record(journal.folder)
    except RecordError:
        return
    # What a damaged line held is measured again; a complete record has it still, and stays as it is.
    if len(sealed.trials) > len(journal.trials) + (0 if sealed.complete else len(journal.damaged)):
        raise RecordError(
            f"the record in {journal.folder} holds {len(sealed.trials)} trials and its journal {len(journal.trials)}: the journal has "
            f"lost some; {'start a new run' if sealed.complete else f'move {NAME} elsewhere to go on without them'}"
        )


def _tell_damaged(journal: Journal) -> None:
    """Name on standard error the lines that could not be read."""
    for number, why in journal.damaged.items():
        print(
            f"bench: {journal.folder / JOURNAL} line {number} is damaged and left out ({why:.200}); what it held is measured again",
            file=sys.stderr,
            flush=True,
        )


def _refuse_other_software(plan: Plan, now: Plan, folder: Path, python: str, interpreters: Mapping[str, str] | None) -> None:
    """Raises NotComparableError where images, harness, frameworks or what backends set for their workers are not what the run began with."""
    changes = []
    if now.images != plan.images:
        changes.append("the images are not the same")
    if plan.bench != __version__:
        changes.append(f"accelbench was {plan.bench or 'older'} and is {__version__}")
    probed = sorted({device.backend for device in plan.devices})
    backends = discover(probed, interpreters, python, plan.stall).backends if plan.devices else ()
    versions = {found.info.name: found.info.versions for found in backends}
    for device in plan.devices:
        there = versions.get(device.backend, {})
        if there != device.versions and not any(device.backend in change for change in changes):
            changes.append(f"{device.backend} had {_version_list(device.versions)} and has {_version_list(there)}")
    wanted = {found.info.name: found.info.environment for found in backends}
    for case in (planned.case for planned in plan.cases):
        # A variable may name code to run, so none comes out of the plan alone.
        if case.environment != worker_environment(case.cores, wanted.get(case.backend, {})):
            changes.append(f"the variables of {case.label} are not those that its backend sets")
            break
    if changes:
        raise NotComparableError(
            f"the run in {folder} cannot be resumed: {'; '.join(changes)}; put things back as they were, or start a new run"
        )


def _version_list(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) or "nothing"
