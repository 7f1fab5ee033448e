"""The report as sections of tables and sentences, the same for every format that people read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.durations import UNKNOWN, duration, number, size
from bench.report import cells
from bench.report.machines import ceiling_lines, machine_lines, record_lines
from bench.report.model import MARKS, Group, MeasuredCase, Remark, Report, Row, Setting
from bench.report.notes import row_labels, row_notes
from bench.report.text import clean, first_line, short
from bench.statistics import PERCENTILES

LONGEST_LIST = 20
"""Lists longer than this are cut, and say so; csv and json hold everything."""


@dataclass(frozen=True)
class Table:
    """Cells as text. The first column is the row's name."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()  # columns set flush right


@dataclass(frozen=True)
class Section:
    """A heading, a table or none, and sentences."""

    title: str
    table: Table | None = None
    lines: tuple[str, ...] = ()


def document(report: Report) -> list[Section]:
    """Days versus hours, what was measured, and what has to be known about both."""
    sections = [_projection(group, report) for group in report.groups]
    sections += _measured(report)
    sections.append(Section("Marks", None, tuple(f"{sign} {text}" for sign, text in _marks(report))))
    sections.append(Section("Assumptions", None, tuple(_assumptions(report))))
    sections.append(Section("Failed trials", None, tuple(_remarks(report.failures))))
    sections.append(Section("Skipped", None, tuple(_remarks(report.skips))))
    sections.append(Section("Ceilings", None, _cut(ceiling_lines(report))))
    sections.append(Section("Machines", None, _cut(machine_lines(report))))
    sections.append(Section("Records", None, (*_cut(record_lines(report)), *report.notes)))
    return [section for section in sections if section.table is not None or section.lines]


# ---- days versus hours ---------------------------------------------------------------------------------------------


def _projection(group: Group, report: Report) -> Section:
    assumptions = report.assumptions
    title = (
        f"Days versus hours: {cells.group_name(group, report.groups)}, {assumptions.dataset.title}, "
        f"{assumptions.dataset.images:,} images, {group.epochs:,} epochs"
    )
    columns = (
        "device",
        "setting",
        "decode",
        "one training",
        f"{assumptions.tuning_runs:,} runs",
        "a week",
        f"in {assumptions.budget_hours:g} h",
        "same",
        "best",
        "binds",
    )
    labels = row_labels(group)
    rows = tuple(_row(row, label, group) for row, label in zip(group.rows, labels, strict=True))
    lines = _cut([*row_notes(group, labels), *_screening(group, labels)])
    return Section(title, Table(columns, rows, frozenset({5, 6})), lines)


def _row(row: Row, label: str, group: Group) -> tuple[str, ...]:
    best = row.best
    projection = best.projection
    return (
        label,
        cells.setting(best.train) + _signs(best),
        cells.decoding(best.decode),
        cells.estimated(projection.training, duration),
        cells.whole(duration(projection.tuning_loop.value)),
        cells.per_week(projection.trainings_per_week),
        cells.members(projection.ensemble),
        *_speed_ups(row, group),
        cells.binds(best),
    )


def _signs(setting: Setting) -> str:
    used = [case for case in (setting.train, setting.infer, setting.decode) if case is not None]
    signs = dict.fromkeys("".join(cells.signs(case) for case in used))
    return f" {''.join(signs)}" if signs else ""


def _speed_ups(row: Row, group: Group) -> tuple[str, str]:
    if group.reference is None:
        return "no CPU reference", "no CPU reference"
    if row.reference:
        return "reference", "reference"
    same = row.same.same if row.same is not None else None
    return (
        "none alike" if same is None else cells.estimated(same.factor, cells.times),
        UNKNOWN if row.best.best is None else cells.estimated(row.best.best.factor, cells.times),
    )


def _screening(group: Group, labels: Sequence[str]) -> Iterable[str]:
    for row, label in zip(group.rows, labels, strict=True):
        if row.best.infer is not None:
            time = cells.estimated(row.best.projection.screening, duration)
            yield f"Screening every image once, by inference: {label}, {cells.setting(row.best.infer)}: {time}."


# ---- measured ------------------------------------------------------------------------------------------------------


def _measured(report: Report) -> list[Section]:
    """Per machine, workload and size: a table of rates, and one of latencies."""
    sections = []

    def place(case: MeasuredCase) -> tuple[str, str, str]:
        return case.key.machine, case.key.workload, case.key.size

    for (fingerprint, workload, scale), members in groupby(report.measured, key=place):
        cases = list(members)
        machine = cells.machine_name(report.machines[fingerprint])
        title = f"{clean(workload, 40)} {clean(scale, 40)} on {machine} [{short(fingerprint)}]"
        sections.append(Section(f"Measured: {title}", _rates(cases)))
        if any(case.latency for case in cases):
            sections.append(Section(f"Latency of one image: {title}", _latencies(cases)))
    return sections


def _rates(cases: Sequence[MeasuredCase]) -> Table:
    columns = (
        "device", "phase", "setting", "images/s", "trials", "of ceiling", "start-up", "compile", "memory", "checks"
    )  # fmt: skip
    return Table(columns, tuple(_case(case) for case in cases), frozenset({4, 5}))


def _case(case: MeasuredCase) -> tuple[str, ...]:
    memory = [cells.whole(size(case.host_memory))]
    memory += [f"device {cells.whole(size(case.device_memory))}"] if case.device_memory else []
    return (
        cells.place(case),
        " ".join(part for part in (case.key.phase, case.key.scenario) if part),
        cells.setting(case),
        _rate(case),
        f"{case.trials:,}" + (f" (+{case.failed:,} failed)" if case.failed else ""),
        _of_ceiling(case),
        cells.whole(duration(case.start_up)) if case.start_up else UNKNOWN,
        UNKNOWN if case.compile_seconds is None else cells.whole(duration(case.compile_seconds)),
        ", ".join(memory),
        _checks(case),
    )


def _rate(case: MeasuredCase) -> str:
    if case.log is None:
        return f"no figure: {clean(case.no_figure, 100)}"
    megapixels = case.key.phase == "preprocess"
    rate = cells.estimated(case.rate, lambda value: f"{number(value)} MP/s" if megapixels else number(value))
    signs = cells.signs(case)
    return f"{rate} {signs}" if signs else rate


def _of_ceiling(case: MeasuredCase) -> str:
    if case.of_copying is not None and case.of_copying > (case.of_ceiling or 0.0):
        return f"{cells.whole(f'{number(100 * case.of_copying, 2)} %')} of copying"
    return UNKNOWN if case.of_ceiling is None else cells.whole(f"{number(100 * case.of_ceiling, 2)} %")


def _latencies(cases: Sequence[MeasuredCase]) -> Table:
    columns = ("device", "setting", *(f"p{percent}" for percent in PERCENTILES), "queries", "trials")
    rows = []
    for case in cases:
        if case.latency:
            known = {found.percent: cells.estimated(found.latency, duration) for found in case.latency}
            shown = [known.get(percent, "too few queries") for percent in PERCENTILES]
            signs = cells.signs(case)
            label = cells.place(case) + (f" {signs}" if signs else "")
            rows.append((label, cells.setting(case), *shown, f"{case.latency[0].queries:,}", f"{case.trials:,}"))
    return Table(columns, tuple(rows), frozenset({5, 6}))


def _checks(case: MeasuredCase) -> str:
    if case.broken:
        return f"failed: {'; '.join(clean(name, 80) for name in case.broken)}"
    return f"{len(case.passed)} passed" if case.passed else "none"


# ---- what has to be said -------------------------------------------------------------------------------------------


def _marks(report: Report) -> Iterable[tuple[str, str]]:
    used = {mark for case in report.measured for mark in case.marks}
    return [MARKS[mark] for mark in MARKS if mark in used]


def _assumptions(report: Report) -> Iterable[str]:
    if report.groups:
        yield from report.assumptions.sentences()
        yield (
            "Epochs: "
            + ", ".join(f"{cells.group_name(group, report.groups)} {group.epochs:,}" for group in report.groups)
            + (", as the workload specifies." if report.assumptions.epochs is None else ", as given.")
        )
    yield (
        "Rates pool the trials of equal cases over all records of one machine fingerprint and one software; a trial is "
        "one process."
    )
    methods = {found.method for case in report.measured for found in case.latency}
    if "order statistics" in methods:
        yield "Latency intervals of fewer than three trials take queries for independent, and are rather too narrow."
    images = [clean(text) for text in dict.fromkeys(report.data.values())]
    if images:
        yield f"Measured on: {'; '.join(_cut(images))}."


def _remarks(remarks: Sequence[Remark]) -> tuple[str, ...]:
    lines = []
    for remark in remarks:
        count = f" ({remark.count:,} times)" if remark.count > 1 else ""
        lines.append(f"{clean(remark.what, 120)}: {first_line(remark.reason)}{count}")
    return _cut(lines)


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    if len(lines) <= LONGEST_LIST:
        return tuple(lines)
    return (*lines[: LONGEST_LIST - 1], f"… and {len(lines) - LONGEST_LIST + 1:,} more: see --format json")
