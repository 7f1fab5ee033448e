"""Where the time of a run went: timed samples, proof, and everything that had to be done for them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bench.record.figures import stages, steady_samples
from bench.record.schema import Record, Trial
from bench.text.sections import Section, Table

TIMED, PROOF, REST = "timed samples", "proof", "the rest: ceilings, searches, images, pauses"

_STAGES = {  # of a worker: what it is for
    "import": "import",
    "data": "data",
    "build": "building",
    "compile": "compilation",
    "first_step": "first steps",
    "warmup": "first steps",
    "check": PROOF,
}


def time_spent(record: Record) -> dict[str, float]:
    """Seconds of a finished run by what they were for; they add up to the run's.

    Timed samples are those that a rate is computed from: of trials, after warm-up. Warm-up is the rest of the stage that is timed. What
    lies between a worker's stages and its process's beginning and end counts as processes. Trials of a record that this one extends count
    nowhere.
    """
    seconds = _run_seconds(record)
    spent: dict[str, float] = {}

    def add(what: str, more: float) -> None:
        spent[what] = spent.get(what, 0.0) + more

    for trial in _own(record):
        if trial.role == "pilot":
            add("pilots", trial.wall)
            continue
        for what, more in _of_trial(trial):
            add(what, more)
    spent[REST] = max(seconds - sum(spent.values()), 0.0)
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _of_trial(trial: Trial) -> Iterable[tuple[str, float]]:
    timed, known = sum(steady_samples(trial)), stages(trial)
    yield TIMED, timed
    yield "warm-up", max(known.get("steady", 0.0) - timed, 0.0)
    for name, seconds in known.items():
        if name != "steady":
            yield _STAGES.get(name, name), seconds
    yield "processes", max(trial.wall - sum(known.values()), 0.0)


def _own(record: Record) -> list[Trial]:
    """The trials that the run made itself."""
    if not record.extends:
        return record.trials
    begun = datetime.fromisoformat(record.created)
    return [trial for trial in record.trials if datetime.fromisoformat(trial.started) >= begun]


def _run_seconds(record: Record) -> float:
    begun, ended = (datetime.fromisoformat(moment) for moment in (record.created, record.finished))
    return (ended - begun).total_seconds()


def spent_section(record: Record) -> Section:
    """The same as a table."""
    spent = time_spent(record)
    whole = sum(spent.values()) or 1.0
    rows = tuple((what, f"{seconds:.1f} s", f"{100 * seconds / whole:.0f} %") for what, seconds in spent.items())
    table = Table(("what", "time", "share"), rows, frozenset({1, 2}))
    trials = sum(trial.role == "trial" for trial in _own(record))
    return Section(
        "Where the time went", table, (f"{whole:.0f} s in all, for {trials} trials of {len(record.cases)} cases.",)
    )
