"""Planning the cases of a record once more, as they were settled: same devices, batch sizes, options and seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from bench.errors import NotComparableError
from bench.machine.environment import worker_environment
from bench.machine.host import usable_cores
from bench.record.schema import Case, Record, Skip
from bench.run.discovery import Discovery, discover
from bench.run.limits import STALL_SECONDS, checked_stall
from bench.run.plan import Plan, PlannedCase, Wishes, name_overridden, planned_case
from bench.run.session import identified, new_plan
from bench.text.words import clean
from bench.worker.jobs import DataSpec

LABEL = "reproduces"
"""The label that names the record which was repeated."""


def plan_again(
    record: Record,
    data: DataSpec,
    seconds: float,
    interpreters: Mapping[str, str],
    stall: float = STALL_SECONDS,
    salt: str = "",
) -> Plan:
    """A plan of every case that can run here; the others become skips. Raises NotComparableError where none can."""
    checked_stall(stall)
    found = discover(None, interpreters, stall=stall)
    cases: list[PlannedCase] = []
    skips: list[Skip] = []
    for case in record.cases:
        reason = _lacking(case, found)
        if reason:
            skips.append(Skip(what=case.label, reason=reason))
        else:
            cases.append(_planned(case, found))
    if not cases:
        raise NotComparableError(
            f"nothing of this record can be repeated here: {skips[0].reason}" if skips else "the record holds no case"
        )
    machine = identified(stall, salt=salt)
    used = [backend for backend in found.backends if backend.info.name in {planned.case.backend for planned in cases}]
    trials = Counter(trial.case for trial in record.trials if trial.role == "trial")
    wishes = Wishes(
        command=["bench", "reproduce", record.id],
        seed=record.seed,
        trials=max(trials.values(), default=3),
        seconds=seconds,
        threads=max(planned.case.cores for planned in cases),  # the record's
        stall=stall,
        ceilings=False,
        data=data,
        labels={LABEL: record.id},
        salt=salt,
    )
    name_overridden(wishes, used)
    return new_plan(wishes, used, cases, skips, machine)


def _lacking(case: Case, found: Discovery) -> str:
    """Why the case cannot run here; nothing where it can."""
    if any(place.host for place in case.places):
        return f"a case on host '{clean(next(place.host for place in case.places if place.host), 60)}' cannot be repeated from here"
    if len(case.places) != 1:
        return "cases of several processes or devices cannot be repeated yet"
    if case.cores > usable_cores():
        return f"it ran on {case.cores} cores, and there are {usable_cores()}"
    sizes = {(workload.info.name, workload.info.size) for workload in found.workloads}
    if (case.workload, case.size) not in sizes:
        return f"the workload {case.workload}-{case.size} is not installed"
    if case.how.on_host:
        return ""
    backend = next((backend for backend in found.backends if backend.info.name == case.backend), None)
    if backend is None:
        return f"the backend {case.backend} is not installed"
    if not case.devices:
        return "it names no device"
    unknown = sorted(set(case.options) - set(backend.info.options))
    if unknown:
        return f"the backend {case.backend} has no option {unknown[0]:.40} here"
    devices = {device.id: device for device in backend.info.devices}
    lacking = [name for name in case.devices if name not in devices]
    if lacking:
        return f"the backend {case.backend} has no device {lacking[0]} here" + (
            f": {backend.info.reason}" if backend.info.reason else ""
        )
    wrong = [name for name in case.devices if case.precision not in devices[name].precisions]
    return f"device {wrong[0]} has no {case.precision} here" if wrong else ""


def _planned(case: Case, found: Discovery) -> PlannedCase:
    workload = found.workload(case.workload, case.size)
    backend = None if case.how.on_host else found.backend(case.backend)
    own = {} if backend is None else backend.info.environment
    case = msgspec.structs.replace(case, environment=worker_environment(case.cores, own), chosen="")
    if backend is None:
        return planned_case(case, None, workload)
    physical = next(device.physical for device in backend.info.devices if device.id == case.device)
    return planned_case(case, backend, workload, physical=physical)
