"""Whether a record can be true: what its schema alone cannot see.

A record whose parts do not belong together is refused by every reader. Of one that holds values which cannot have been measured,
``bench results validate`` and comparisons refuse the whole, and a report leaves out the cases concerned and marks them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from bench.errors import RecordError
from bench.record.plausible_trials import counter_faults, said, trial_faults, twin_samples
from bench.record.schema import Case, Ceiling, DataFacts, Forecast, Machine, Record, WorkloadFacts
from bench.text.words import clean, plural

LEAST_AUC = 0.5
"""What a constant answer reaches, and so no target."""

_RATES = 1e-6, 1e30  # FLOP/s or bytes/s
_FORECASTS = 1e-9, 1e9  # seconds
_MOST_SENTENCES = 20


class Fault(NamedTuple):
    """Something in a record that cannot be."""

    case: int | None  # which case's figures it spoils; None: no case's, or the whole record's
    sentence: str
    fatal: bool = False  # whether no part of the record can be read with sense


def check_record(record: Record) -> None:
    """Raises RecordError where the parts of a record do not belong together, so that nobody can tell what it says."""
    _refuse(record, _structure(record))


def refuse_impossible(record: Record) -> None:
    """Raises RecordError for a record that cannot be true, naming what is wrong first and how much there is beside."""
    _refuse(record, faults(record))


def _refuse(record: Record, found: Iterable[Fault]) -> None:
    sentences = [fault.sentence for fault in found]
    if sentences:
        more = f" (and {plural(len(sentences) - 1, 'further fault')})" if len(sentences) > 1 else ""
        raise RecordError(f"record {clean(record.id, 60)} {sentences[0]}{more}")


def sentences(record: Record) -> list[str]:
    """Return everything that is wrong with a record, a sentence each; no more than people read."""
    found = [fault.sentence for fault in faults(record)]
    rest = len(found) - _MOST_SENTENCES
    return found if rest <= 0 else [*found[:_MOST_SENTENCES], f"has {plural(rest, 'further fault')}"]


def faults(record: Record) -> list[Fault]:
    """Return whatever in a record cannot be; empty for one that may be true."""
    structure = list(_structure(record))
    if structure:
        return structure
    begun, ended = _moment(record.first.created), _moment(record.finished)
    found = [fault for index, case in enumerate(record.cases) for fault in _of_case(index, case, record)]
    for trial in record.trials:
        case = record.cases[trial.case]
        told: list[tuple[int | None, str]] = [
            (trial.case, one) for one in trial_faults(case, trial, record.machines, begun, ended)
        ]
        told += [(None, one) for one in counter_faults(trial)]
        if told:
            name = f"has in {trial.role} {trial.number} of {clean(case.label, 100)}"
            found += [Fault(whose, f"{name} {one}") for whose, one in told]
    found += [Fault(case, f"has {sentence}") for case, sentence in twin_samples(record.cases, record.trials)]
    beside = [
        *(sentence for ceiling in record.ceilings for sentence in ceiling_faults(ceiling)),
        *(sentence for forecast in record.forecasts for sentence in forecast_faults(forecast)),
        *(sentence for data in record.data for sentence in _of_data(data)),
        *_of_stopping(record),
    ]
    return [*found, *(Fault(None, f"has {sentence}") for sentence in beside)]


# ---- whether its parts belong together ---------------------------------------------------------------------------------


def _structure(record: Record) -> Iterator[Fault]:
    for what, entries in (("trial", record.trials), ("forecast", record.forecasts)):
        wrong = next((entry.case for entry in entries if not 0 <= entry.case < len(record.cases)), None)
        if wrong is not None:
            yield Fault(None, f"has a {what} of case {wrong}, but only {plural(len(record.cases), 'case')}", True)
            return
    # What was disturbed is made again under its number.
    counted = [trial for trial in record.trials if trial.status != "disturbed"]
    seen = Counter((trial.case, trial.role, trial.number) for trial in counted)
    twice = next((place for place, count in seen.items() if count > 1), None)
    if twice is not None:
        yield Fault(None, f"has {twice[1]} {twice[2]} of case {twice[0]} more than once", True)
    orders = Counter(trial.order for trial in record.trials)
    same = next((order for order, count in orders.items() if count > 1), None)
    if same is not None:
        yield Fault(
            None, f"has {orders[same]:,} trials at place {same} of its order; each trial has a place of its own", True
        )
    begun, ended = _moment(record.created), _moment(record.finished)
    if begun is not None and ended is not None and ended < begun:
        yield Fault(None, f"was finished ({record.finished:.40}) before it was begun ({record.created:.40})", True)
    for machine in record.machines.values():
        yield from (Fault(None, sentence, True) for sentence in _of_machine(machine))


def _of_machine(machine: Machine) -> Iterator[str]:
    name = f"describes machine {clean(machine.fingerprint, 20)} with"
    if machine.cores < 1:
        yield f"{name} {machine.cores} cores; expected 1 or more"
    elif machine.cores > machine.cores_online > 0:
        yield f"{name} {machine.cores} usable cores of {machine.cores_online}"
    if machine.memory < 0:
        yield f"{name} {machine.memory} bytes of memory"


def _moment(text: str) -> datetime | None:
    """A date of a record; None for one that nobody can read."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


# ---- what was measured, on what ------------------------------------------------------------------------------------------


def _of_case(index: int, case: Case, record: Record) -> Iterator[Fault]:
    facts = [known for known in record.workloads if (known.name, known.size) == (case.workload, case.size)]
    told = [*_settings(case), *(sentence for known in facts for sentence in _of_workload(known))]
    yield from (Fault(index, f"has in {clean(case.label, 100)} {sentence}") for sentence in told)


def _settings(case: Case) -> Iterator[str]:
    how = case.how
    if how.batch and case.batch_size < 1:
        yield f"a batch of {case.batch_size} images; expected 1 or more"
    if how.batch == "one" and case.batch_size > 1:
        yield f"a batch of {case.batch_size} images, where each query is one image"
    if case.epochs < 0:
        yield f"{case.epochs} epochs"
    if how.to_target and case.epochs == 0:
        yield "a training to its target in 0 epochs"
    if how.to_target and not case.targets:
        yield "a training to a target that is not named"
    for name, target in case.targets.items():
        if not 0 < target <= 1:
            yield f"a target of {said(target)} for {clean(name, 20)}; expected more than 0, at most 1"
        elif name == "auc" and target <= LEAST_AUC:
            yield f"a target AUC of {target:g}, which a constant answer reaches"


def _of_workload(facts: WorkloadFacts) -> Iterator[str]:
    counts = {
        "pixels high": facts.height, "pixels wide": facts.width, "images a batch": facts.batch_size, "parameters": facts.parameters,
        "FLOPs forward": facts.forward_flops, "FLOPs of training": facts.training_flops, "epochs": facts.epochs,
        "elements forward": facts.forward_elements, "elements of training": facts.training_elements,
        "views of an image": facts.views,
    }  # fmt: skip
    for name, count in counts.items():
        if count < 0:
            yield f"a network of {count} {name}"
    if 0 < facts.training_flops < facts.forward_flops:
        yield f"a network whose training takes {facts.training_flops:,} FLOPs and its forward pass alone {facts.forward_flops:,}"


# ---- what stands beside the cases --------------------------------------------------------------------------------------------


def ceiling_faults(ceiling: Ceiling) -> Iterator[str]:
    """What of a ceiling cannot be, a sentence's end each."""
    if not _RATES[0] <= ceiling.rate <= _RATES[1]:
        yield f"a ceiling of {ceiling.kind} of {said(ceiling.rate)} a second on {clean(ceiling.physical, 40)}"


def forecast_faults(forecast: Forecast) -> Iterator[str]:
    """What of a forecast cannot be, a sentence's end each."""
    low, high = forecast.low, forecast.high
    times = {"predicted": forecast.predicted, "measured": forecast.measured, "low end": low, "high end": high}
    for name, seconds in times.items():
        if seconds is not None and not _FORECASTS[0] <= seconds <= _FORECASTS[1]:
            yield f"a forecast whose time ({name}) is {said(seconds)} s"
            return
    if (low is None) != (high is None):
        yield "a forecast with one end of an interval"
    elif low is not None and high is not None and not low <= forecast.predicted <= high:
        yield f"a forecast of {forecast.predicted:g} s outside its own interval, {low:g} to {high:g} s"
    if forecast.epochs < 1:
        yield f"a forecast of {forecast.epochs} epochs"


def _of_stopping(record: Record) -> Iterator[str]:
    if not 0 <= record.within < math.inf:
        yield f"intervals wished for within {said(record.within)} %"
    dates = [_moment(date) for date in (*(known.created for known in record.extends), record.created)]
    if any(before is not None and after is not None and after < before for before, after in pairwise(dates)):
        yield "an extended record that was begun after it"
    if record.id in {known.id for known in record.extends}:
        yield "itself among the records that it extends"


def _of_data(data: DataFacts) -> Iterator[str]:
    if data.count < 0:
        yield f"a set of {data.count} images"
    if data.megapixels is not None and not (math.isfinite(data.megapixels) and data.megapixels > 0):
        yield f"images of {said(data.megapixels)} megapixels"
