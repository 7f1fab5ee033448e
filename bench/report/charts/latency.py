"""Pictures of inference: how latencies are distributed, and what throughput they come with."""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis.model import Report
from bench.durations import duration, number
from bench.report import cells
from bench.report.charts.chart import (
    MOST_LANES,
    TIME_AXIS,
    Chart,
    Spec,
    base,
    colours,
    dashes,
    digits,
    of_all,
    quantity,
    shapes,
)
from bench.report.charts.rates import by_network, tagged
from bench.statistics.rates import PERCENTILES
from bench.text.sections import NO_BREAK, Table

_MOST_CURVES = 12
_LOG_TIME = {"type": "log", "nice": False, "padding": 10}


def latency(report: Report) -> Iterator[Chart]:
    """The distribution of single-stream latencies."""
    names: list[str] = []
    for name, cases in by_network(case for case in report.measured if case.latency_curve):
        rows: list[Spec] = []
        points: list[Spec] = []
        table = []
        for place, case in enumerate(cases):
            series = cells.named(case, report)
            known = {found.percent: found.latency for found in case.latency}
            if place < _MOST_CURVES:
                rows += [
                    {"series": series, "share": digits(100 * share), "seconds": digits(seconds)}
                    for share, seconds in case.latency_curve
                ]
                points += [{"series": series, "share": percent, "seconds": found.value} for percent, found in known.items()]
            shown = [
                cells.estimated(known[percent], duration) if percent in known else "too few queries"
                for percent in PERCENTILES
            ]
            table.append((series, *shown))
        series_names = [row["series"] for row in rows]
        y = quantity(
            "share", title="% of queries done", scale={"domain": [0, 100]}, axis={"values": [0, 25, 50, 75, 90, 99]}
        )
        x = quantity("seconds", scale=_LOG_TIME, axis={"title": "latency of one image, log scale", **TIME_AXIS})
        encoding = {"x": x, "y": y, "color": colours(series_names)}
        alt = f"Distribution of the latency of one image, {name}: " + "; ".join(
            f"{row[0]}: " + ", ".join(f"p{percent} {cell}" for percent, cell in zip(PERCENTILES, row[1:], strict=True))
            for row in table
        )
        spec = {
            **base(alt),
            "layer": [
                {"data": {"values": rows}, "mark": {"type": "line", "interpolate": "step-after"},
                 "encoding": {**encoding, "strokeDash": dashes(series_names)}},
                {"data": {"values": points}, "mark": {"type": "point", "filled": True, "size": 70}, "encoding": encoding},
            ],
        }  # fmt: skip
        columns = ("device and setting", *(f"p{percent}" for percent in PERCENTILES))
        title = f"Latency of one image: {name}; points: p50, p90 and p99, over all trials"
        yield Chart(
            tagged("latency", names), of_all(title, min(len(cases), _MOST_CURVES), len(cases)), alt.replace(NO_BREAK, " "), spec,
            Table(columns, tuple(table), frozenset({1, 2, 3})), "inference",
        )  # fmt: skip


def throughput(report: Report) -> Iterator[Chart]:
    """Images per second against the time one batch takes."""
    names: list[str] = []
    for name, cases in by_network(
        case for case in report.measured if case.key.how.builds == "predictor" and case.log is not None
    ):
        if len(cases) < 2:
            continue
        rows: list[Spec] = []
        table = []
        cases.sort(key=lambda case: case.log.rate if case.log is not None else 0.0, reverse=True)
        for place, case in enumerate(cases):
            rate = case.rate
            assert rate is not None
            series = f"{cells.at_machine(case, report)}, {case.key.precision}"
            took = case.key.batch_size / rate.value
            scenario = f"{case.key.scenario}, batch {case.key.batch_size:,}"
            if place < MOST_LANES:
                rows.append(
                    {"series": series, "rate": rate.value, "seconds": took, "label": f"batch {case.key.batch_size:,}"}
                )
            table.append((series, scenario, cells.estimated(rate, number), duration(took)))
        series_names = [row["series"] for row in rows]
        axis = {"title": "time of one batch, log scale", **TIME_AXIS}
        x = quantity("seconds", scale={**_LOG_TIME, "padding": 30}, axis=axis)
        axis = {"title": "images per second, log scale", "format": "~s"}
        y = quantity("rate", scale={"type": "log", "nice": True}, axis=axis)
        alt = f"Throughput against the time of one batch, {name}: " + "; ".join(
            f"{row[0]}, {row[1]}: {row[2]} images/s in {row[3]}" for row in table
        )
        spec = {
            **base(alt),
            "data": {"values": rows},
            "encoding": {"x": x, "y": y},
            "layer": [
                {"mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                 "encoding": {"color": colours(series_names), "shape": shapes(series_names)}},
                {"mark": {"type": "text", "dy": -11, "fontSize": 11}, "encoding": {"text": {"field": "label"}}},
            ],
        }  # fmt: skip
        columns = ("device and precision", "scenario", "images/s", "time of one batch")
        title = of_all(f"Throughput against latency: {name}", min(len(cases), MOST_LANES), len(cases))
        yield Chart(
            tagged("throughput", names), title, alt.replace(NO_BREAK, " "), spec,
            Table(columns, tuple(table), frozenset({2, 3})), "inference",
        )  # fmt: skip
