"""How a case's rate has moved over the records of a folder: one line per case and machine, change points marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.comparison.facts import case_key
from bench.comparison.trials import usable
from bench.errors import NoFigure
from bench.record.figures import figure, trials_of
from bench.record.labels import CHECK
from bench.record.schema import Record
from bench.statistics.changes import change_points
from bench.statistics.pairs import TOLERATED
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


def history(records: Sequence[Record]) -> list[Line]:
    """Lines in order of their labels. A change of less than what is tolerated is no change.

    Records that ``bench check`` made are left out: half of them are of older code, and all are timed in turns.
    """
    series: dict[tuple[str, tuple[str, ...], str], tuple[str, list[Point]]] = {}
    own = [record for record in records if CHECK not in record.labels]
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
        Line(label, short(fingerprint), tuple(points), _changes([point.log_time for point in points]))
        for (fingerprint, _, _), (label, points) in series.items()
    ]
    return sorted(lines, key=lambda line: (line.label, line.machine))


def _changes(log_times: Sequence[float]) -> tuple[Change, ...]:
    cuts = [0, *change_points(log_times), len(log_times)]
    found = []
    for before, at, after in zip(cuts, cuts[1:], cuts[2:], strict=False):
        step = float(np.median(log_times[at:after]) - np.median(log_times[before:at]))
        if abs(step) > math.log1p(TOLERATED):
            found.append(Change(at, step))
    return tuple(found)
