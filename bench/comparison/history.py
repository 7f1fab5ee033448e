"""How a case's rate has moved over the records of a folder: one line per case and machine, change points marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.comparison.facts import case_key
from bench.comparison.model import percent
from bench.comparison.trials import usable
from bench.errors import NoFigure
from bench.record.figures import figure, trials_of
from bench.record.labels import CHECK
from bench.record.schema import Record
from bench.statistics.changes import drawn_in, spread_of
from bench.statistics.monitoring import FEWEST_BEFORE, effect_of_last, lasting_shifts
from bench.statistics.pairs import TO_BE_FOUND, TOLERATED, Verdict
from bench.text.words import short


@dataclass(frozen=True)
class Point:
    """One record's figure of one case."""

    record: str
    created: str
    commit: str
    log_time: float  # mean over trials of ln(seconds per image)


@dataclass(frozen=True)
class Change:
    """A lasting change of level: the first record after it, and how much slower it made things."""

    at: int  # index of the first point after it
    log_ratio: float


@dataclass(frozen=True)
class Line:
    """One case on one machine, oldest first."""

    label: str
    machine: str
    points: tuple[Point, ...]
    changes: tuple[Change, ...]

    def worse_in_last(self, count: int) -> bool:
        """Whether one of the last ``count`` records brought a change for the worse."""
        return any(change.log_ratio > 0 and change.at >= len(self.points) - count for change in self.changes)

    def judged(self, count: int) -> tuple[Verdict, str]:
        """Say whether the last ``count`` records are slower than those before, and why where it cannot be told.

        *Regressed*: one of them brought a lasting change for the worse. *Pass*: together they are less than ``TO_BE_FOUND`` slower than the
        records before them, back to the last change. *Inconclusive*: too few records, or too noisy.
        """
        if self.worse_in_last(count):
            return Verdict.REGRESSED, ""
        if len(self.points) < count + FEWEST_BEFORE:
            return Verdict.INCONCLUSIVE, (
                f"{len(self.points)} records tell nothing of the last {count}; expected {FEWEST_BEFORE} or more before them"
            )
        values = np.array([point.log_time for point in self.points])
        try:
            effect = effect_of_last(drawn_in(values, spread_of(values)), [0, *(change.at for change in self.changes)], count)
        except NoFigure as error:
            return Verdict.INCONCLUSIVE, str(error)
        if effect.high < math.log1p(TO_BE_FOUND):
            return Verdict.PASS, ""
        return Verdict.INCONCLUSIVE, (
            f"the last {count} records are {percent(effect.log_ratio)} slower than those before ({percent(effect.low)} to "
            f"{percent(effect.high)}): too few or too noisy to tell whether it is {100 * TO_BE_FOUND:g} %"
        )


def history(records: Sequence[Record]) -> list[Line]:
    """Lines in order of their labels. A change of less than what is tolerated is no change.

    Records that ``bench check`` made are left out: half of them are of older code, and all are timed in turns. So are those that another
    one extends, whose trials stand in it.
    """
    series: dict[tuple[str, tuple[str, ...], str], tuple[str, list[Point]]] = {}
    extended = {known.id for record in records for known in record.extends}
    own = [record for record in records if CHECK not in record.labels and record.id not in extended]
    for record in sorted(own, key=lambda record: (record.created, record.id)):
        for index, case in enumerate(record.cases):
            trials = usable(trials_of(record.trials, index)).trials
            try:
                logs = [figure(case, trial) for trial in trials]
            except NoFigure:
                continue
            if not logs:
                continue
            digest = next((w.digest for w in record.workloads if (w.name, w.size) == (case.workload, case.size)), "")
            key = record.machine.fingerprint, case_key(case), digest
            point = Point(record.id, record.created, record.bench.get("commit", ""), float(np.mean(logs)))
            series.setdefault(key, (case.label, []))[1].append(point)
    lines = [
        Line(label, short(fingerprint), tuple(points), changes_in([point.log_time for point in points]))
        for (fingerprint, _, _), (label, points) in series.items()
    ]
    return sorted(lines, key=lambda line: (line.label, line.machine))


def changes_in(log_times: Sequence[float]) -> tuple[Change, ...]:
    """Return the lasting changes of a series of ln(seconds per image), oldest first."""
    cuts = [0, *(shift.at for shift in lasting_shifts(log_times)), len(log_times)]
    found = []
    for before, at, after in zip(cuts, cuts[1:], cuts[2:], strict=False):
        step = float(np.median(log_times[at:after]) - np.median(log_times[before:at]))
        if abs(step) > math.log1p(TOLERATED):
            found.append(Change(at, step))
    return tuple(found)
