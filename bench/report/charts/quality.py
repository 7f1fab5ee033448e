"""Pictures of trainings to their target: what the weights were worth over the clock, all devices on one axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from bench.analysis.model import MeasuredCase, Report
from bench.durations import duration
from bench.record.quality import measure_name, target_text
from bench.report import cells
from bench.report.charts.chart import Chart, Spec, base, colours, dashes, quantity
from bench.report.charts.rates import tagged
from bench.text.sections import Table


def quality(report: Report) -> Iterator[Chart]:
    """Measures and loss over seconds, a picture each."""

    def place(case: MeasuredCase) -> tuple[str, str]:
        return cells.network(case), case.key.data

    names: list[str] = []
    for (name, _), members in groupby(sorted(report.to_quality, key=place), key=place):
        cases = [case for case in members if any(course.curve for course in case.courses)]
        measures = sorted(
            {measure for case in cases for course in case.courses for point in course.curve for measure in point.measures},
            reverse=True,
        )
        for measure in [*measures, "loss"]:
            rows = _rows(cases, measure, report)
            if rows:
                yield _chart(tagged("quality", names), name, measure, rows, cases)


def _rows(cases: Sequence[MeasuredCase], measure: str, report: Report) -> list[Spec]:
    return [
        {
            "series": cells.named(case, report), "training": f"{number}-{course.number}",
            "seconds": point.seconds, "epoch": point.epoch, "value": value,
        }
        for number, case in enumerate(cases)
        for course in case.courses
        for point in course.curve
        if (value := point.loss if measure == "loss" else point.measures.get(measure)) is not None
    ]  # fmt: skip


def _chart(chart: str, name: str, measure: str, rows: list[Spec], cases: Sequence[MeasuredCase]) -> Chart:
    series = [row["series"] for row in rows]
    title = "training loss" if measure == "loss" else f"{measure_name(measure)} on the validation images"
    targets = sorted({case.targets[measure] for case in cases if measure in case.targets})
    x = quantity("seconds", title="seconds since the first batch")
    y = quantity("value", title=title, scale={"zero": False})
    lines = {
        "data": {"values": rows},
        "mark": {"type": "line", "point": {"size": 25}},
        "encoding": {
            "x": x, "y": y, "detail": {"field": "training", "type": "nominal"},
            "color": colours(series), "strokeDash": dashes(series),
        },
    }  # fmt: skip
    goals = [
        {"data": {"values": [{"value": target}]}, "mark": {"type": "rule", "strokeDash": [4, 4], "color": "var(--soft)"},
         "encoding": {"y": quantity("value")}}
        for target in targets
    ]  # fmt: skip
    alt = f"{title} over time, {name}, a line per seed"
    if targets:
        alt += f"; the target is {target_text({measure: targets[0]})}"
    table = Table(
        ("device and setting", "seed", "epoch", "time", title),
        tuple(
            (
                row["series"],
                row["training"].split("-")[1],
                f"{row['epoch']}",
                duration(row["seconds"]),
                f"{row['value']:.4f}",
            )
            for row in rows
        ),
        frozenset({1, 2, 3, 4}),
    )
    return Chart(
        chart, f"{title[0].upper()}{title[1:]}: {name}", alt, {**base(alt), "layer": [lines, *goals]}, table, "training"
    )
