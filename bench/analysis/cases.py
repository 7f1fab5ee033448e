"""From pooled trials to one measured case: its rate, its proof, its physics, and the marks it deserves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from bench.analysis.model import (
    ABOVE_CEILING,
    DISTURBED,
    IMPOSSIBLE,
    LOWERINGS,
    NOT_COLD,
    ONE_TRIAL,
    SLOWING,
    STEADY_ASSUMED,
    STILL_MOVING,
    TRIALS_FAILED,
    UNCHECKED,
    UNJUDGED,
    UNPROVEN,
    CaseKey,
    MeasuredCase,
    Power,
)
from bench.analysis.pool import Figure, Pool, Tally
from bench.errors import NoFigure
from bench.precisions import OPERAND_BYTES
from bench.record.checks import MANY_IMAGES, sharper_precision
from bench.record.scenarios import PHASES
from bench.record.schema import Ceiling, Energy, WorkloadFacts
from bench.statistics.rates import PERCENTILES, LogRate, Percentile, percentile, pooled_rate
from bench.statistics.stopping import looked_at

PLAUSIBLE = 1.1
"""A rate may exceed the measured ceiling by this factor, since ceilings have an error too; beyond, physics says no."""

_SHARES = np.concatenate([np.linspace(0, 0.9, 46), np.linspace(0.905, 0.99, 18), np.linspace(0.991, 1, 10)])

_START_UP = ("import", "build", "first_step")


def measured_cases(pooled: Pool) -> tuple[MeasuredCase, ...]:
    """Every case of the pool that was tried, trainings to their target among them, in a stable order."""
    tried = [tally for tally in pooled.tallies.values() if tally.figures or tally.failed or tally.impossible]
    return tuple(_measured(tally, pooled) for tally in sorted(tried, key=lambda tally: _place(tally.key)))


def _place(key: CaseKey) -> tuple[object, ...]:
    """Return a sort key: phases in the order of a pipeline, so that a phase's devices stand together."""
    pipeline = PHASES.index(key.phase), key.scenario
    return key.machine, key.workload, key.size, pipeline, key.backend, key.devices, key.precision, key.cores, key


def _measured(tally: Tally, pooled: Pool) -> MeasuredCase:
    used, proven = _used(tally)
    unjudged = tally.unjudged - tally.broken.keys()
    if tally.brief and tally.brief == len(tally.figures):
        unjudged |= {MANY_IMAGES}
    log, no_figure = _rate(tally, used)
    ceiling, of_ceiling, of_memory, of_copying = _ceilings(tally, pooled, log)
    slowing = sum(figure.drift == "slower" for figure in used)
    disturbed = [figure.disturbances for figure in used if figure.disturbances]
    compiled = tally.cold or tally.stages.get("compile", [])
    marks = {
        UNPROVEN: log is not None and not proven,
        UNJUDGED: log is not None and proven and bool(unjudged),
        ABOVE_CEILING: max(of_ceiling or 0.0, of_copying or 0.0) > PLAUSIBLE,
        IMPOSSIBLE: bool(tally.impossible),
        STEADY_ASSUMED: log is not None and tally.steady_assumed,
        STILL_MOVING: log is not None and 2 * tally.moving > len(tally.figures),
        SLOWING: log is not None and 2 * slowing > len(used),
        DISTURBED: log is not None and bool(disturbed),
        ONE_TRIAL: log is not None and log.standard_error is None,
        NOT_COLD: bool(compiled) and not tally.cold,
        LOWERINGS: len(tally.lowerings) > 1,
        UNCHECKED: proven and len(used) < len(tally.figures),
        TRIALS_FAILED: bool(tally.failed),
    }
    compile_seconds = _mean(compiled) if compiled else None
    passed = tuple(sorted(name for name, good in tally.checks.items() if good and name not in tally.unjudged))
    return MeasuredCase(
        key=tally.key,
        facts=tally.facts,
        device=tally.device,
        log=log,
        log_times=() if log is None else tuple(figure.log for figure in used if figure.log is not None),
        no_figure=no_figure,
        trials=len(used),
        failed=len(tally.failed),
        latency=_latency(used) if log is not None else (),
        ceiling=ceiling,
        of_ceiling=of_ceiling,
        of_memory=of_memory,
        of_copying=of_copying,
        compile_seconds=compile_seconds,
        start_up=sum(_mean(tally.stages.get(name, [])) for name in _START_UP) + (compile_seconds or 0.0),
        augment=_augment(tally),
        ready=_mean(tally.stages.get("build", [])) + _mean(tally.stages.get("compile", [])),
        cold_extra=max(0.0, (compile_seconds or 0.0) - _mean(tally.stages.get("compile", []))),
        host_memory=tally.host_memory,
        device_memory=tally.device_memory,
        passed=passed,
        unjudged=tuple(sorted(unjudged)),
        proven_in=next(filter(None, map(sharper_precision, passed)), tally.key.precision),
        broken=tuple(f"{name}: {found}" if found else name for name, found in sorted(tally.broken.items())),
        lowering=", ".join(sorted(name for name in tally.lowerings if name)),
        marks=tuple(mark for mark, deserved in marks.items() if deserved),
        records=len({figure.place[0] for figure in used}),
        targets=tally.case.targets,
        courses=tuple(sorted(tally.courses, key=lambda course: course.number)),
        power=_power(tally, used),
        latency_curve=_curve(used) if log is not None else (),
        trace=next((figure.trace for figure in used if figure.trace is not None), None),
        disturbed=len(disturbed),
        disturbances=disturbed[0] if disturbed else (),
        slowing=slowing,
        steady_seconds=median(figure.steady_seconds for figure in used) if used else 0.0,
        wall_seconds=median(figure.wall for figure in used) if used else 0.0,
        within=tally.within,
    )


def _augment(tally: Tally) -> float | None:
    """Return the seconds that a training's host takes to change one image."""
    found = tally.stages.get("augment", [])
    return _mean(found) / tally.key.batch_size if found and tally.key.batch_size > 0 else None


def _used(tally: Tally) -> tuple[list[Figure], bool]:
    """The trials a rate is computed from, and whether it is proven.

    One failed check among the trials spoils the case. Trials without any check are left out where others have passed
    theirs.
    """
    usable = [figure for figure in tally.figures if figure.proof != "refuted"]
    if len(usable) < len(tally.figures):
        return tally.figures, False
    passed = [figure for figure in usable if figure.proof == "proven"]
    return (passed, True) if passed else (usable, False)


def _rate(tally: Tally, used: Sequence[Figure]) -> tuple[LogRate | None, str]:
    if not used and not tally.failed:
        return None, f"impossible: a record {tally.impossible[0]}"
    if not used:
        return None, f"every trial failed; the first: {tally.failed[0]}"
    trouble = next((figure.trouble for figure in used if figure.log is None), "")
    if trouble:
        return None, trouble
    try:
        timed = [(figure.place, figure.log) for figure in used if figure.log is not None]
        rate = pooled_rate([place for place, _ in timed], [log for _, log in timed])
        return looked_at(rate) if tally.looked_at else rate, ""
    except NoFigure as error:
        return None, str(error)


def _latency(used: Sequence[Figure]) -> tuple[Percentile, ...]:
    queries = [figure.queries for figure in used if figure.queries is not None]
    places = [figure.place for figure in used if figure.queries is not None]
    found = []
    for percent in PERCENTILES if queries else ():
        try:
            found.append(percentile(queries, percent, places))
        except NoFigure:
            break  # the higher percentiles need more queries still
    return tuple(found)


def _power(tally: Tally, used: Sequence[Figure]) -> Power | None:
    """Return a GPU's draw by its own counter, the host's by those of every package and its memory."""
    physical = "host" if tally.device is None else tally.device.physical
    watts, idle, places = [], [], []
    names: set[str] = set()
    for figure in used:
        own = {name: one for name, one in figure.energy.items() if _is_counter_of(physical, name) and _is_possible(one)}
        if own:
            names |= own.keys()
            places.append(figure.place)
            watts.append(sum(one.joules / one.seconds for one in own.values()))
            idle.append([one.idle_watts for one in own.values()])
    if not watts or not all(math.isfinite(value) and value > 0 for value in watts):
        return None
    known = [sum(value for value in one if value is not None) for one in idle if None not in one]
    draw = pooled_rate(places, [-math.log(value) for value in watts])
    return Power(draw, _mean(known) if len(known) == len(watts) else None, tuple(sorted(names)))


def _is_possible(counted: Energy) -> bool:
    """Whether the draw is one that a device can have."""
    idle = counted.idle_watts
    return counted.seconds > 0 and counted.joules / counted.seconds <= 1e9 and (idle is None or 0 <= idle <= 1e9)


def _is_counter_of(physical: str, name: str) -> bool:
    return name.startswith(("package", "dram")) if physical == "host" else name == physical


def _curve(used: Sequence[Figure]) -> tuple[tuple[float, float], ...]:
    """The empirical distribution of the latencies of all trials, at shares that crowd where its tail is."""
    queries = [figure.queries for figure in used if figure.queries is not None]
    pooled = np.sort(np.concatenate(queries)) if queries else np.zeros(0)
    if len(pooled) == 0:
        return ()
    places = np.unique(np.ceil(_SHARES * len(pooled)).astype(int).clip(1, len(pooled)))
    return tuple((float(place / len(pooled)), float(pooled[place - 1])) for place in places)


def _ceilings(
    tally: Tally, pooled: Pool, log: LogRate | None
) -> tuple[Ceiling | None, float | None, float | None, float | None]:
    """The arithmetic ceiling of this device and precision, and the shares of it, of the memory's and of the copying's reached.

    Every image has to reach the device, at one byte per pixel and channel, whatever is computed with it there.
    """
    facts, device, key = tally.facts, tally.device, tally.key
    if device is None or facts is None or log is None or key.how.to_target:
        return None, None, None, None
    arithmetic, memory, copying = (
        pooled.ceilings.get((key.machine, device.physical, key.precision, kind)) for kind in ("arithmetic", "memory", "copy")
    )
    operations = {"trainer": facts.training_flops, "predictor": facts.forward_flops}.get(key.how.builds, 0)
    return (
        arithmetic,
        _share(log.rate * operations, arithmetic),
        _share(log.rate * _bytes_per_image(key, facts), memory),
        _share(log.rate * facts.height * facts.width * 3, copying),
    )


def _share(needed: float, ceiling: Ceiling | None) -> float | None:
    share = needed / ceiling.rate if ceiling is not None and needed > 0 else math.nan
    return share if math.isfinite(share) else None


def _bytes_per_image(key: CaseKey, facts: WorkloadFacts) -> float:
    """What memory has to read and write at least; 0 where that is unknown.

    Weights are read once a batch; in training once more on the way back, and their gradients are written. The optimizer's
    reading and writing is not counted, as its operations are not.
    """
    elements = {"trainer": facts.training_elements, "predictor": facts.forward_elements}.get(key.how.builds, 0)
    passes = 3 if key.how.builds == "trainer" else 1
    size = OPERAND_BYTES.get(key.precision, 0)
    return size * (elements + passes * facts.parameters / key.batch_size) if elements > 0 and key.batch_size > 0 else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
