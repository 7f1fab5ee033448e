"""The tables of what was measured: every case, with its checks, the nearest ceiling and its marks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from bench.analysis.model import MeasuredCase, Report
from bench.durations import UNKNOWN, duration, number, size
from bench.record.scenarios import MEGAPIXELS
from bench.report import cells
from bench.report.ceilings import nearest, percent
from bench.report.proofs import checks
from bench.statistics.rates import PERCENTILES
from bench.statistics.ratios import ratio
from bench.text.sections import LONGEST_LIST, Section, Table
from bench.text.words import clean, short


def measured(report: Report) -> list[Section]:
    """Per machine, workload and size: a table of rates, and one of latencies."""
    sections: list[Section] = []

    def place(case: MeasuredCase) -> tuple[str, str, str]:
        return case.key.machine, case.key.workload, case.key.size

    for (fingerprint, workload, scale), members in groupby(report.measured, key=place):
        if len(sections) >= 2 * LONGEST_LIST:
            sections.append(Section("Measured: more", None, ("Further tables are left out: see --format csv or json.",)))
            break
        cases = list(members)
        machine = cells.machine_name(report.machines[fingerprint])
        title = f"{clean(workload, 40)} {clean(scale, 40)} on {machine} [{short(fingerprint)}]"
        sections.append(Section(f"Measured: {title}", _rates(cases)))
        if any(case.latency for case in cases):
            sections.append(Section(f"Latency of one image: {title}", _latencies(cases)))
    return sections


def _rates(cases: Sequence[MeasuredCase]) -> Table:
    columns = (
        "device", "phase", "setting", "images/s", "trials", "nearest ceiling", "start-up", "compile", "memory", "checks"
    )  # fmt: skip
    return Table(columns, tuple(_case(case) for case in cases), frozenset({4, 5}))


def _case(case: MeasuredCase) -> tuple[str, ...]:
    memory = [cells.whole(size(case.host_memory))]
    memory += [f"device {cells.whole(size(case.device_memory))}"] if case.device_memory else []
    return (
        cells.place(case),
        case.key.how.title,
        cells.setting(case),
        _rate(case),
        f"{case.trials:,}"
        + (f" in {case.records:,} records" if case.records > 1 else "")
        + (f" (+{case.failed:,} failed)" if case.failed else ""),
        _of_ceiling(case),
        cells.whole(duration(case.start_up)) if case.start_up else UNKNOWN,
        UNKNOWN if case.compile_seconds is None else cells.whole(duration(case.compile_seconds)),
        ", ".join(memory),
        checks(case),
    )


def _rate(case: MeasuredCase) -> str:
    if case.log is None:
        return f"no figure: {clean(case.no_figure, 100)}"
    megapixels = case.key.how.unit is MEGAPIXELS
    return cells.marked(cells.estimated(case.rate, lambda value: number(value) + (" MP/s" if megapixels else "")), case)


def _of_ceiling(case: MeasuredCase) -> str:
    found = nearest(case)
    return UNKNOWN if found is None else f"{percent(found[1])} of {found[0]}"


def _latencies(cases: Sequence[MeasuredCase]) -> Table:
    columns = ("device", "setting", *(f"p{percent}" for percent in PERCENTILES), "queries", "trials")
    rows = []
    for case in cases:
        if case.latency:
            known = {found.percent: cells.estimated(found.latency, duration) for found in case.latency}
            shown = [known.get(percent, "too few queries") for percent in PERCENTILES]
            label = cells.marked(cells.place(case), case)
            rows.append((label, cells.setting(case), *shown, f"{case.latency[0].queries:,}", f"{case.trials:,}"))
    return Table(columns, tuple(rows), frozenset({5, 6}))


def input_taxes(report: Report) -> list[str]:
    """What training from image files costs against the same training from arrays in memory."""
    lines = []
    for case in report.measured:
        if not case.key.how.reads_files or case.key.how.on_host or case.log is None:
            continue
        alike = case.key._replace(scenario="", data="")
        twin = next((other for other in report.measured if other.key == alike and other.log is not None), None)
        if twin is not None:
            machine = report.machines[case.key.machine]
            text = f"{cells.side(case, machine)}: {_tax(twin, case)} more time per image than from memory"
            lines.append(f"{cells.marked(text, case, twin)}.")
    return lines


def _tax(memory: MeasuredCase, files: MeasuredCase) -> str:
    assert memory.log is not None
    assert files.log is not None
    found = ratio(files.log, memory.log).factor
    value = f"{100 * (found.value - 1):.1f} %"
    if found.low is None or found.high is None:
        return value
    return f"{value} ({100 * (found.low - 1):.1f} to {100 * (found.high - 1):.1f} %)"
