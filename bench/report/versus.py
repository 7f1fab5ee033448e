"""The table of inference and decoding against the reference."""

from __future__ import annotations

from bench.analysis.model import MeasuredCase, Report
from bench.analysis.versus import Versus, versus
from bench.report import cells
from bench.statistics.ratios import Ratio
from bench.text.sections import Section, Table
from bench.text.words import clean, plural

MOST_ROWS = 40


def versus_section(report: Report) -> Section:
    """A row per case and what it is held against; no table where there is nothing to compare."""
    found = versus(report)
    if not found:
        return Section("Inference and decoding against the reference", None)
    columns = ("device", "network", "phase", "setting", "against", "times as fast", "interval")
    table = Table(columns, tuple(_row(one, report) for one in found[:MOST_ROWS]), frozenset({5}))
    lines = [
        f"Inference in the same precision, {_reference(report)}each device at its own batch size; decoding against the fewest cores measured. Where both cases are of "
        "one run, each round gives a ratio, and the interval is over rounds; of the same records, over records; otherwise both are taken for independent."
    ]
    if len(found) > MOST_ROWS:
        lines.append(f"{plural(len(found) - MOST_ROWS, 'further row')} left out; see --format json.")
    return Section("Inference and decoding against the reference", table, tuple(lines))


def _reference(report: Report) -> str:
    """How the reference of inference was chosen, where no training says it."""
    if report.groups:
        return ""
    asked = report.assumptions.reference
    return (
        f"against {clean(asked, 60)}, "
        if asked
        else "against the fastest host, or the slowest device where there is no host, "
    )


def _row(one: Versus, report: Report) -> tuple[str, ...]:
    return (
        _name(one.case, report), cells.network(one.case), one.case.key.how.title, cells.setting(one.case),
        f"{_name(one.reference, report)}, {cells.setting(one.reference)}",
        cells.marked(cells.estimated(one.ratio.factor, cells.times), one.case, one.reference), over(one.ratio),
    )  # fmt: skip


def _name(case: MeasuredCase, report: Report) -> str:
    return cells.with_machine("host", case, report) if case.key.how.on_host else cells.at_machine(case, report)


def over(found: Ratio) -> str:
    """What the interval of a ratio is over: ``3 rounds``, ``5 records``, ``not paired``."""
    return "not paired" if found.paired == "none" else plural(found.n, found.paired.removesuffix("s"))
