"""What projections are worth: whole trainings that were predicted, and then done."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.model import MeasuredCase, Report
from bench.record.forecasts import Account, account
from bench.record.schema import Forecast
from bench.report import cells
from bench.text.sections import Section, Table, cut


def forecast_section(report: Report) -> Section:
    """A row per case, and what the figures mean; no lines where nothing was forecast."""
    columns = ("device", "network", "setting", "forecasts", "median error", "worst", "inside the 95 % interval")
    rows = []
    for case, found in by_case(report):
        told = account(found)
        rows.append((cells.at_machine(case, report), cells.network(case), cells.setting(case), *_told(told)))
    if len(rows) > 1:
        rows.append(("all", "", "", *_told(account([forecast for _, forecast in report.forecasts]))))
    table = Table(columns, tuple(rows), frozenset({3, 4, 5, 6})) if rows else None
    lines = (
        "Each forecast was made from trials of its own, for a training from memory by one fresh process whose programs had been compiled "
        "before; then that training was done, from the start of its process to its last evaluation (bench forecast-check).",
    )
    return Section("Forecasts held to account", table, cut(lines) if rows else ())


def by_case(report: Report) -> list[tuple[MeasuredCase, list[Forecast]]]:
    """The forecasts of each case."""
    found: dict[int, tuple[MeasuredCase, list[Forecast]]] = {}
    for case, forecast in report.forecasts:
        found.setdefault(id(case), (case, []))[1].append(forecast)
    return list(found.values())


def _told(told: Account) -> Sequence[str]:
    return f"{told.count:,}", f"{100 * told.median_error:.1f} %", f"{100 * told.worst_error:.1f} %", f"{told.covered:,}"
