"""Pool the trials of equal cases over records. Each record is read once and let go, so that thousands fit in memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from bench.analysis.model import CaseKey, RecordLine, SampleTrace, Stack, TargetTraining
from bench.errors import NoFigure, RecordError
from bench.record.figures import (
    Standing,
    device_memory,
    disturbances,
    energy,
    figure,
    host_memory,
    log_tail,
    pixels,
    samples,
    settled,
    stages,
    standing,
    steady_samples,
)
from bench.record.plausible import ceiling_faults, check_record, faults, forecast_faults
from bench.record.plausible_trials import COUNTED_ALIKE
from bench.record.quality import goal, seconds_to
from bench.record.schema import Case, Ceiling, DeviceFacts, Energy, Forecast, Machine, Record, Trial, WorkloadFacts
from bench.record.variables import worker_variables
from bench.statistics.drift import Drift, drawn_together, drift
from bench.statistics.rates import Place
from bench.text.words import clean, first_line

UNLABELLED = "(no label)"
_MOST_POINTS = 120
_LONGEST_STAGE = 1e9  # seconds; more is no stage


class Figure(NamedTuple):
    """What one trial gives."""

    place: Place  # the record that its run began with, and its number there
    log: float | None  # ln(seconds per image, or per megapixel)
    trouble: str  # why there is no figure
    proof: Standing
    queries: NDArray[np.float64] | None  # single-stream: seconds of each
    trace: SampleTrace | None = None
    energy: Mapping[str, Energy] = MappingProxyType({})  # by counter
    disturbances: tuple[str, ...] = ()  # a sentence each
    drift: Drift = ""  # where its steady samples went
    steady_seconds: float = 0.0
    wall: float = 0.0  # seconds that the whole trial took


@dataclass
class Tally:
    """Trials of one case as they come in."""

    key: CaseKey
    case: Case
    facts: WorkloadFacts | None
    device: DeviceFacts | None
    figures: list[Figure] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)  # why trials were left out that cannot have been measured so
    stages: dict[str, list[float]] = field(default_factory=dict)
    cold: list[float] = field(default_factory=list)
    checks: dict[str, bool] = field(default_factory=dict)
    unjudged: set[str] = field(default_factory=set)  # checks that some trial could not judge
    brief: int = 0  # trials that were checked on few images
    broken: dict[str, str] = field(default_factory=dict)
    lowerings: set[str] = field(default_factory=set)
    steady_assumed: bool = False
    courses: list[TargetTraining] = field(default_factory=list)
    moving: int = 0  # trials that had not reached their steady state
    host_memory: int = 0
    device_memory: int = 0
    looked_at: bool = False  # whether the number of trials was decided by looking at their scatter
    within: float = 0.0  # the half-width that they were to give, in percent; 0: none was wished for


@dataclass
class Pool:
    """Every case of every record, and what the records say beside."""

    tallies: dict[CaseKey, Tally] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    ceilings: dict[tuple[str, str, str, str], Ceiling] = field(default_factory=dict)
    data: dict[str, tuple[bool, str]] = field(default_factory=dict)  # fingerprint: synthetic, description
    records: dict[str, RecordLine] = field(default_factory=dict)
    prints: dict[str, tuple[object, ...]] = field(default_factory=dict)  # of the records, by identifier
    skips: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    impossible: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen: dict[int, str] = field(default_factory=dict)  # hash of a trial's samples: its record
    twins: int = 0  # trials that another record held already
    forecasts: list[tuple[CaseKey, Forecast]] = field(default_factory=list)
    repeated: int = 0
    group_by: str = ""  # a label
    labels: set[str] = field(default_factory=set)  # names
    nodes: dict[CaseKey, dict[str, list[tuple[Place, float]]]] = field(default_factory=dict)


def pool(records: Iterable[Record], group_by: str = "") -> Pool:
    """Return the pooled records; one that comes twice counts once, and of a run that was finished later its whole record.

    Raises RecordError for one that contradicts itself.
    With ``group_by`` the trials are also gathered by that label's values, over machines.
    """
    pooled = Pool(group_by=group_by)
    incomplete = []
    for record in records:
        if record.complete:
            _add_once(pooled, record)
        else:
            incomplete.append(record)
    for record in incomplete:
        if record.id not in pooled.records or not pooled.records[record.id].complete:
            _add_once(pooled, record)
    return pooled


def _add_once(pooled: Pool, record: Record) -> None:
    if record.id in pooled.records:
        _refuse_namesake(pooled, record)
        pooled.repeated += 1
    else:
        _add(pooled, record)


def _refuse_namesake(pooled: Pool, record: Record) -> None:
    """Raises RecordError where it is another record with an identifier that is taken."""
    if pooled.prints[record.id] != _print(record):
        raise RecordError(f"two different records have the identifier {clean(record.id, 60)}; name one of them alone")


def _print(record: Record) -> tuple[object, ...]:
    """Return facts of a record that differ between any two records in practice."""
    walls = math.fsum(trial.wall for trial in record.trials if math.isfinite(trial.wall))
    return (
        record.created,
        record.finished,
        record.seed,
        record.machine.fingerprint,
        len(record.cases),
        len(record.trials),
        walls,
    )


def _add(pooled: Pool, record: Record) -> None:
    check_record(record)
    keys = _tallies(pooled, record)
    machine = record.machine.fingerprint
    _add_machine(pooled, record.machine)
    pooled.prints[record.id] = _print(record)
    pooled.records[record.id] = RecordLine(
        record.id, record.created, tuple(record.command), machine, record.complete, record.bench.get("commit", "")
    )
    for data in record.data:
        pooled.data.setdefault(data.fingerprint, (data.synthetic, data.description))
    for ceiling in record.ceilings:
        place = machine, ceiling.physical, ceiling.precision, ceiling.kind
        if not any(ceiling_faults(ceiling)):
            pooled.ceilings[place] = max(pooled.ceilings.get(place, ceiling), ceiling, key=lambda known: known.rate)
    pooled.labels |= record.labels.keys()
    pooled.skips.update((skip.what, skip.reason) for skip in record.skips)
    pooled.forecasts += [(keys[found.case].key, found) for found in record.forecasts if not any(forecast_faults(found))]
    spoilt = _impossible(pooled, record, keys)
    for trial in settled(record.trials):
        tally = keys[trial.case]
        if trial.case in spoilt or _is_twin(pooled, record, trial):
            continue
        tally.looked_at |= record.looked_at
        tally.within = record.within or tally.within
        before = len(tally.figures)
        _add_trial(pooled, tally, trial, record.first.id)
        if pooled.group_by and len(tally.figures) > before and not tally.case.how.to_target:
            _add_to_node(pooled, tally, record.labels.get(pooled.group_by, UNLABELLED))


def _add_machine(pooled: Pool, machine: Machine) -> None:
    """A machine as its first record knew it, with what was found on it before any."""
    known = pooled.machines.setdefault(machine.fingerprint, machine)
    found = {(finding.name, finding.severity) for finding in known.findings}
    later = [finding for finding in machine.findings if (finding.name, finding.severity) not in found]
    if later:
        merged = [*known.findings, *{(finding.name, finding.severity): finding for finding in later}.values()]
        pooled.machines[machine.fingerprint] = structs.replace(known, findings=merged)


def _impossible(pooled: Pool, record: Record, keys: list[Tally]) -> set[int]:
    """The cases of a record that hold what cannot have been measured, after noting why."""
    found = faults(record)
    for fault in found:
        pooled.impossible[f"record {record.id}", fault.sentence] += 1
        if fault.case is not None:
            keys[fault.case].impossible.append(fault.sentence)
    return {fault.case for fault in found if fault.case is not None}


def _is_twin(pooled: Pool, record: Record, trial: Trial) -> bool:
    """Whether another record holds this very trial, as one does that was extended: it is one measurement, and counts once."""
    took: tuple[object, ...] = tuple(samples(trial))
    if len(took) < COUNTED_ALIKE:
        took = record.first.id, trial.case, trial.role, trial.number, trial.order, trial.started
    first = pooled.seen.setdefault(hash(took), record.id)
    pooled.twins += first != record.id and trial.role == "trial"
    return first != record.id


def _add_to_node(pooled: Pool, tally: Tally, value: str) -> None:
    found = tally.figures[-1]
    if found.log is not None and found.proof == "proven":
        device = tally.device.name if tally.device is not None and tally.device.kind != "cpu" else ""
        hardware = device or f"{pooled.machines[tally.key.machine].cpu}, {tally.key.cores} cores"
        nodes = pooled.nodes.setdefault(apart(tally.key, hardware), {})
        nodes.setdefault(value, []).append((found.place, found.log))


def apart(key: CaseKey, hardware: str) -> CaseKey:
    """Return the key without the machine's identity: in its place stands ``hardware``, the device's name."""
    return key._replace(machine=hardware, stack=key.stack._replace(environment=""))


def _tallies(pooled: Pool, record: Record) -> list[Tally]:
    """A tally per case of the record, in the record's order."""
    found: list[Tally] = []
    for key, facts, device in keys_of(record):
        tally = pooled.tallies.setdefault(key, Tally(key, record.cases[len(found)], facts, device))
        if facts is not None and (tally.facts is None or not tally.facts.views):
            tally.facts = facts  # an older record knows less
        found.append(tally)
    return found


def keys_of(record: Record) -> list[tuple[CaseKey, WorkloadFacts | None, DeviceFacts | None]]:
    """Return what each case of the record is pooled by, in the record's order, with the facts of its workload and its device."""
    workloads = {(facts.name, facts.size): facts for facts in record.workloads}
    images = _images(record)
    devices = {(device.backend, device.id): device for device in record.devices}
    found: list[tuple[CaseKey, WorkloadFacts | None, DeviceFacts | None]] = []
    for case in record.cases:
        facts = workloads.get((case.workload, case.size))
        device = next((known for name in case.devices if (known := devices.get((case.backend, name)))), None)
        versions = {} if device is None else device.versions
        stack = Stack(
            ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
            _environment(record, case),
            record.bench.get("version", ""),
        )
        key = CaseKey(
            machine=record.machine.fingerprint,
            stack=stack,
            workload=case.workload,
            size=case.size,
            digest="" if facts is None else facts.digest,
            data=images.get((case.workload, case.size), "") if case.how.images_matter else "",
            backend=case.backend,
            devices=case.devices,
            phase=case.phase,
            scenario=case.scenario,
            precision=case.precision,
            batch_size=case.batch_size,
            cores=case.cores,
            ranks=len(case.places),
            options=", ".join(
                [f"{name}={value}" for name, value in sorted(case.options.items())] + [text for text in [goal(case)] if text]
            ),
        )
        found.append((key, facts, device))
    return found


def _images(record: Record) -> dict[tuple[str, str], str]:
    """The fingerprint of each workload's images: a run opens one set of images per workload and size, in that order."""
    everything = ", ".join(sorted({data.fingerprint for data in record.data}))
    one_each = len(record.data) == len(record.workloads)
    return {
        (facts.name, facts.size): record.data[place].fingerprint if one_each else everything
        for place, facts in enumerate(record.workloads)
    }


def _environment(record: Record, case: Case) -> str:
    """What was set in the worker, and what frameworks read that the user had set; the case itself says its threads."""
    chosen, user = worker_variables(record, case)
    threads = {name for name, value in chosen.items() if name.endswith("_THREADS") and value == str(case.cores)}
    parts = [f"{name}={value}" for name, value in sorted(chosen.items()) if name not in threads]
    return ", ".join([*parts, *user])


def _add_trial(pooled: Pool, tally: Tally, trial: Trial, record: str) -> None:
    compiled = stages(trial).get("compile")
    if trial.status == "ok" and trial.compile == "cold" and compiled is not None and 0 <= compiled <= _LONGEST_STAGE:
        tally.cold.append(compiled)
    if trial.status != "ok":
        reason = first_line(trial.reason) or first_line(log_tail(trial)) or "no reason was recorded"
        what = tally.case.label if trial.role == "trial" else f"{tally.case.label} (pilot)"
        pooled.failures[what, f"{trial.status}: {reason}"] += 1
    if trial.role != "trial":
        return
    tally.host_memory = max(tally.host_memory, host_memory(trial))
    tally.device_memory = max(tally.device_memory, device_memory(trial))
    if standing(trial) == "failed":
        tally.failed.append(f"{trial.status}: {first_line(trial.reason)}")
        return
    found = _figure(tally.case, trial, (record, trial.number))
    if not any(known.trace for known in tally.figures):
        found = found._replace(trace=_trace(tally.case, trial))
    tally.figures.append(found)
    if tally.case.how.to_target:
        seconds = seconds_to(tally.case.targets, trial.curve)
        tally.courses.append(TargetTraining(trial.number, seconds, tuple(trial.curve), trial.test))
    tally.lowerings.add(trial.lowering)
    tally.steady_assumed |= trial.steady == "assumed"
    tally.moving += trial.steady == "moving" or found.drift == "faster"
    tally.brief += trial.brief
    for check in trial.checks:
        tally.checks[check.name] = tally.checks.get(check.name, True) and check.passed
        if not check.judged:
            tally.unjudged.add(check.name)
        if not check.passed:
            tally.broken.setdefault(check.name, _found(check.found, check.allowed, check.detail))
    for name, seconds in stages(trial).items():
        if 0 <= seconds <= _LONGEST_STAGE:
            tally.stages.setdefault(name, []).append(seconds)


def _figure(case: Case, trial: Trial, place: Place) -> Figure:
    log, trouble, queries = None, "", None
    try:
        log = figure(case, trial) + math.log(case.how.unit.size)
        queries = np.array(steady_samples(trial)) if case.how.per_query else None
    except NoFigure as error:
        trouble = str(error)
    steady = [] if log is None or case.how.to_target else steady_samples(trial)
    items = pixels(trial)[trial.warmup :] if case.how.counts == "pixels" else None
    return Figure(
        place,
        log,
        trouble,
        standing(trial),
        queries,
        energy=energy(trial),
        disturbances=disturbances(trial),
        drift=drift(drawn_together(steady, items)),
        steady_seconds=sum(steady),
        wall=trial.wall,
    )


def _trace(case: Case, trial: Trial) -> SampleTrace | None:
    """A trial's samples, thinned to medians of neighbours where there are very many."""
    took = np.array(samples(trial), dtype=np.float64)
    if case.how.to_target or len(took) < 2:
        return None
    size = case.how.unit.size
    items = np.array([held / size for held in pixels(trial)] or [max(trial.images_per_sample, 1)], dtype=np.float64)
    possible = (took >= 1e-12).all() and (took <= _LONGEST_STAGE).all() and (items > 0).all()
    if len(items) not in {1, len(took)} or not possible:
        return None
    ends, each = np.cumsum(took), took / items
    warm = float(ends[trial.warmup - 1]) if 0 < trial.warmup <= len(ends) else 0.0
    parts = np.array_split(np.arange(len(took)), min(len(took), _MOST_POINTS))
    return SampleTrace(tuple((float(ends[part[-1]]), float(np.median(each[part]))) for part in parts), warm)


def _found(found: float | None, allowed: float | None, detail: str) -> str:
    numbers = "" if found is None else f"{found:.3g}" + ("" if allowed is None else f", allowed {allowed:.3g}")
    return ", ".join(part for part in (numbers, first_line(detail)) if part)
