"""What the schema alone cannot see: whether the parts of a record belong together."""

from __future__ import annotations

from collections import Counter

from bench.errors import RecordError
from bench.record.schema import Record
from bench.text.words import clean, plural


def check_record(record: Record) -> None:
    """Raises RecordError where a trial or a forecast belongs to no case, which the schema alone cannot see."""
    for what, entries in (("trial", record.trials), ("forecast", record.forecasts)):
        wrong = next((entry.case for entry in entries if not 0 <= entry.case < len(record.cases)), None)
        if wrong is not None:
            name = clean(record.id, 60)
            raise RecordError(f"record {name} has a {what} of case {wrong}, but only {plural(len(record.cases), 'case')}")
    _refuse_twins(record)


def _refuse_twins(record: Record) -> None:
    seen = Counter((trial.case, trial.role, trial.number) for trial in record.trials)
    twice = next((place for place, count in seen.items() if count > 1), None)
    if twice is not None:
        raise RecordError(f"record {clean(record.id, 60)} has {twice[1]} {twice[2]} of case {twice[0]} more than once")
