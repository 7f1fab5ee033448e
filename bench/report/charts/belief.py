"""Pictures that let people judge the measurements themselves: how trials scatter, and where warm-up ended."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

from bench.analysis.model import MeasuredCase, Report
from bench.durations import duration, number
from bench.record.forecasts import covered, error
from bench.record.schema import Forecast
from bench.report import cells
from bench.report.charts.chart import MOST_LANES, Chart, Lane, Spec, base, digits, lanes_spec, listed, of_all, quantity
from bench.report.charts.rates import by_network, tagged
from bench.report.forecasts import by_case
from bench.text.sections import NO_BREAK, Table

MOST_WARM_UPS = 8
_LANE = 36
_MOST_POINTS = 200


def _name(case: MeasuredCase, report: Report) -> str:
    where = cells.with_machine("host", case, report) if case.key.how.on_host else cells.at_machine(case, report)
    return f"{where}, {case.key.how.title}, {cells.setting(case)}"


def forecasts(report: Report) -> Iterator[Chart]:
    """How far each forecast of a whole training was off, with its interval: it held where that spans 0."""
    names: list[str] = []
    for name, cases in by_network(case for case, _ in by_case(report)):
        lanes, rows = [], []
        for case, found in by_case(report):
            for forecast in found if case in cases else ():
                off = [100 * (seconds / forecast.measured - 1) for seconds in (forecast.predicted, *_interval(forecast))]
                said = f"{duration(forecast.predicted)} predicted, {duration(forecast.measured)} taken: {off[0]:+.1f} %"
                text = said if covered(forecast) else f"{said}, outside the interval"
                lanes.append(Lane(_name(case, report), off[0], min(off), max(off), text))
                rows.append((_name(case, report), *_figures(forecast)))
        alt = listed(f"Forecasts of whole trainings against what they took, {name}", lanes)
        title = "% above or below; whiskers: 95 % interval"
        yield Chart(
            tagged("forecasts", names), of_all(f"Forecasts held to account: {name}", min(len(lanes), MOST_LANES), len(lanes)), alt.replace(NO_BREAK, " "),
            lanes_spec(lanes[:MOST_LANES], alt, title, scale={"type": "linear", "nice": True}),
            Table(("case", "epochs", "predicted", "from", "to", "taken", "error"), tuple(rows), frozenset(range(1, 7))), "belief",
        )  # fmt: skip


def _interval(forecast: Forecast) -> tuple[float, ...]:
    return () if forecast.low is None or forecast.high is None else (forecast.low, forecast.high)


def _figures(forecast: Forecast) -> tuple[str, ...]:
    low, high = ("–" if end is None else duration(end) for end in (forecast.low, forecast.high))
    return (
        f"{forecast.epochs:,}", duration(forecast.predicted), low, high, duration(forecast.measured), f"{100 * error(forecast):+.1f} %",
    )  # fmt: skip


def spread(report: Report) -> Iterator[Chart]:
    """Every trial of every case, as its difference from the case's mean."""
    names: list[str] = []
    for name, cases in by_network(case for case in report.measured if len(case.log_times) > 1):
        chosen = sorted(cases, key=_width, reverse=True)
        rows: list[Spec] = []
        table = []
        for place, case in enumerate(chosen):
            mean = sum(case.log_times) / len(case.log_times)
            changes = [100 * math.expm1(mean - log) for log in case.log_times]
            drawn = _thinned(changes) if place < MOST_LANES else ()
            rows += [{"id": f"{place:04d}", "name": _name(case, report), "change": change} for change in drawn]
            table.append((_name(case, report), f"{len(changes)}", f"{min(changes):+.1f} % to {max(changes):+.1f} %"))
        y = {"field": "id", "type": "nominal", "axis": None}
        alt = f"Rate of each trial against the mean of its case, {name}: " + "; ".join(
            f"{row[0]}: {row[2]}" for row in table
        )
        spec = {
            **base(alt, _LANE * min(len(chosen), MOST_LANES)),
            "data": {"values": rows},
            "layer": [
                {"mark": {"type": "point", "filled": True, "size": 60, "opacity": 0.75, "color": "var(--c0)"},
                 "encoding": {"x": quantity("change", title="% above or below the mean of the case's trials"), "y": y}},
                {"transform": [{"aggregate": [{"op": "min", "field": "name", "as": "unused"}], "groupby": ["id", "name"]}],
                 "mark": {"type": "text", "align": "left", "baseline": "bottom", "dy": -6, "fontSize": 12, "limit": {"expr": "width"}},
                 "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "name"}}},
            ],
        }  # fmt: skip
        yield Chart(
            tagged("spread", names), of_all(f"How far trials scatter: {name}", min(len(chosen), MOST_LANES), len(chosen)), alt, spec,
            Table(("case", "trials", "from the mean"), tuple(table), frozenset({1, 2})), "belief",
        )  # fmt: skip


def _thinned(changes: list[float]) -> list[float]:
    """All of them, or so many quantiles, the smallest and the largest among them: a thousand points on a line look the same."""
    if len(changes) <= _MOST_POINTS:
        return [digits(change) for change in changes]
    ordered, last = sorted(changes), len(changes) - 1
    return [digits(ordered[round(place * last / (_MOST_POINTS - 1))]) for place in range(_MOST_POINTS)]


def _width(case: MeasuredCase) -> float:
    return max(case.log_times) - min(case.log_times)


def warm_ups(report: Report) -> Iterator[Chart]:
    """Time per image over a trial of the cases that say most: training first."""
    names: list[str] = []
    cases = sorted((case for case in report.measured if case.trace is not None), key=lambda case: case.key.how.order)
    for case in cases[:MOST_WARM_UPS]:
        trace = case.trace
        assert trace is not None
        name = _name(case, report)
        rows = [{"seconds": seconds, "each": 1e3 * each} for seconds, each in trace.points]
        steady = [each for seconds, each in trace.points if seconds > trace.warm]
        unit = case.key.how.unit.name
        usual = f"{number(1e3 * median(steady))} ms" if steady else "unknown"
        alt = f"Time per {unit} over one trial of {name}: warm-up ends after {duration(trace.warm)}, then {usual} in the median"
        spec = {
            **base(alt, 150),
            "layer": [
                {"data": {"values": rows}, "mark": {"type": "line", "point": {"size": 18}, "color": "var(--c0)"},
                 "encoding": {"x": quantity("seconds", title="seconds since the first timed block"),
                              "y": quantity("each", title=f"ms per {unit}", scale={"zero": False})}},
                {"data": {"values": [{"seconds": trace.warm}]}, "mark": {"type": "rule", "strokeDash": [4, 4], "color": "var(--c1)", "strokeWidth": 2},
                 "encoding": {"x": quantity("seconds")}},
            ],
        }  # fmt: skip
        table = Table(
            ("after", f"ms per {unit}", ""),
            tuple(
                (duration(seconds), f"{1e3 * each:.4g}", "warm-up" if seconds <= trace.warm else "steady")
                for seconds, each in trace.points
            ),
            frozenset({0, 1}),
        )
        yield Chart(tagged("warm-up", names), f"Warm-up: {name}", alt.replace(NO_BREAK, " "), spec, table, "belief")
