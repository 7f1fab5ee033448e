"""Time to quality: a row per device and setting, how many seeds arrived, how long it took, and what the test images say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from bench.analysis.model import MeasuredCase, Report, TargetTraining
from bench.durations import UNKNOWN, duration
from bench.projection.model import inverse
from bench.record.quality import measure_name, target_text
from bench.report import cells
from bench.report.proofs import checks
from bench.statistics.proportions import proportion
from bench.statistics.rates import Estimate
from bench.text.sections import Section, Table, cut
from bench.text.words import clean, plural


def time_to_quality(report: Report) -> list[Section]:
    """A section per workload, size and images."""

    def place(case: MeasuredCase) -> tuple[str, str, str]:
        return case.key.workload, case.key.size, case.key.data

    sections = []
    for (workload, size, data), members in groupby(sorted(report.to_quality, key=place), key=place):
        cases = list(members)
        title = f"Time to quality: {clean(workload, 40)} {clean(size, 40)}"
        images = clean(report.data.get(data, ""))
        lines = [f"Images: {images}."] if images else []
        sections.append(Section(title, _table(cases, report), cut([*lines, *_notes(cases)])))
    return sections


def _table(cases: Sequence[MeasuredCase], report: Report) -> Table:
    tests = sorted({name for case in cases for course in case.courses for name in course.test}, reverse=True)
    columns = ("device", "setting", "arrived", "time", "epochs", *(f"test {measure_name(name)}" for name in tests), "checks")
    rows = tuple(
        (
            cells.at_machine(case, report),
            cells.setting(case),
            f"{sum(course.seconds is not None for course in case.courses)} of {len(case.courses) + case.failed}",
            _time(case),
            _range([len(course.curve) for course in case.courses]),
            *(_mean([course.test[name] for course in case.courses if name in course.test]) for name in tests),
            checks(case),
        )
        for case in cases
    )
    return Table(columns, rows, frozenset({2, 4}))


def seconds(case: MeasuredCase) -> Estimate | None:
    """Seconds until the target, the geometric mean over seeds with its interval; None where a seed did not arrive."""
    return None if case.rate is None else inverse(case.rate, 1.0)


def _time(case: MeasuredCase) -> str:
    found = seconds(case)
    if found is None:
        return f"no figure: {clean(case.no_figure, 100)}"
    return cells.marked(cells.estimated(found, duration), case)


def _range(values: Sequence[int]) -> str:
    if not values:
        return UNKNOWN
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)} to {max(values)}"


def _mean(values: Sequence[float]) -> str:
    """The mean over seeds with its interval, which lies between 0 and 1 as the measure does."""
    if not values:
        return UNKNOWN
    found = proportion(values)
    ends = "" if found.low is None or found.high is None else f" ({found.low:.4f} to {found.high:.4f})"
    return f"{found.value:.4f}{ends}"


def _notes(cases: Sequence[MeasuredCase]) -> Iterable[str]:
    yield (
        "Every trial trains from a seed of its own until the validation images show the target. The clock starts with the first "
        "batch, compilation behind it, and runs through evaluations. Test images are looked at once, at the end."
    )
    for case in cases:
        missed = [course for course in case.courses if course.seconds is None]
        if missed:
            yield (
                f"{cells.place(case)}, {cells.setting(case)}: {plural(len(missed), 'training')} of {len(case.courses)} did not reach "
                f"{target_text(case.targets)}; the best had {_best(missed)}."
            )


def _best(courses: Sequence[TargetTraining]) -> str:
    points = [point for course in courses for point in course.curve]
    names = sorted({name for point in points for name in point.measures}, reverse=True)
    return ", ".join(
        f"{measure_name(name)} {max(point.measures[name] for point in points if name in point.measures):.4f}"
        for name in names
    )
