"""Pictures of what was measured in training: rates, batch sizes, ceilings, and where an accelerator stops paying off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from bench.analysis.model import MeasuredCase, Report
from bench.durations import number
from bench.report import cells
from bench.report.ceilings import nearest
from bench.report.charts.chart import (
    Chart,
    Lane,
    Spec,
    base,
    colours,
    dashes,
    lane_chart,
    lanes_spec,
    listed,
    of_all,
    quantity,
    shapes,
)
from bench.report.charts.times import shown
from bench.text.sections import Table
from bench.text.words import clean

_MOST_SERIES = 12
_BATCH_SIZE = quantity("batch", scale={"type": "log", "base": 2, "nice": False, "padding": 10}, title="batch size")
_PARTS = {"trainer": "training", "predictor": "inference"}


def by_network(cases: Iterable[MeasuredCase]) -> Iterator[tuple[str, list[MeasuredCase]]]:
    """Group the cases by network, since only cases of one network may be compared."""
    ordered = sorted(cases, key=lambda case: (cells.network(case), case.key.digest))
    for (name, _), members in groupby(ordered, key=lambda case: (cells.network(case), case.key.digest)):
        yield name, list(members)


def tagged(stem: str, names: list[str]) -> str:
    """A picture's name, numbered where there are several of its kind."""
    name = stem if not names else f"{stem}-{len(names) + 1}"
    names.append(name)
    return name


def training(report: Report) -> Iterator[Chart]:
    """Images per second of every training case, a picture per network."""
    yield from _rates(report, "training", [case for case in _with_rate(report) if case.key.how.builds == "trainer"])


def inference(report: Report) -> Iterator[Chart]:
    """Images per second of every case of offline inference, a picture per network; only where nothing was trained."""
    offline = [case for case in _with_rate(report) if case.key.how.projected == "evaluation"]
    queries = [case for case in _with_rate(report) if case.key.how.per_query]
    yield from _rates(report, "inference", [] if report.groups else offline or queries)


def _with_rate(report: Report) -> list[MeasuredCase]:
    return [case for case in report.measured if case.log is not None]


def _rates(report: Report, what: str, cases: Sequence[MeasuredCase]) -> Iterator[Chart]:
    """Images per second of the cases, ``what`` they are a rate of in the titles."""
    names: list[str] = []
    for name, members in by_network(cases):
        members.sort(key=lambda case: case.log.rate if case.log is not None else 0.0)
        everything = [_rate_lane(case, report) for case in members]
        lanes = shown(everything)
        alt = listed(f"{what.capitalize()} rate of {name}, images per second", lanes)
        spec = lanes_spec(lanes, alt, "images per second, log scale; whiskers: 95 % interval", {"format": "~s"})
        title, columns = f"{what.capitalize()} rate: {name}", ("case", "images/s")
        yield lane_chart(tagged(what, names), title, spec, lanes, everything, columns, what)


def _rate_lane(case: MeasuredCase, report: Report) -> Lane:
    rate = case.rate
    assert rate is not None
    name = f"{cells.named(case, report)}{' from files' if case.key.how.reads_files else ''}"
    text = cells.marked(cells.estimated(rate, number), case)
    return Lane(name, rate.value, *cells.ends(rate), text, clean(case.key.precision, 20))


def batches(report: Report) -> Iterator[Chart]:
    """Rates over batch size, where a case was measured at several."""
    names: list[str] = []
    for name, cases in by_network(
        case for case in report.measured if case.log is not None and case.key.how.projected in {"training", "evaluation"}
    ):
        for builds, part in _PARTS.items():
            everything = _lines([case for case in cases if case.key.how.builds == builds and case.log is not None], report)
            lines = everything[:_MOST_SERIES]
            if lines:
                alt = f"{part.capitalize()} rate of {name} over batch size"
                rows = [
                    {"series": series, "batch": case.key.batch_size, "rate": rate.value, "low": rate.low or rate.value,
                     "high": rate.high or rate.value}
                    for series, members in lines for case in members if (rate := case.rate) is not None
                ]  # fmt: skip
                table = Table(
                    ("case", "batch size", "images/s"),
                    tuple(
                        (series, f"{case.key.batch_size:,}", cells.estimated(case.rate, number))
                        for series, members in everything
                        for case in members
                    ),
                    frozenset({1, 2}),
                )
                yield Chart(
                    tagged("batches", names),
                    of_all(f"{part.capitalize()} rate over batch size: {name}", len(lines), len(everything)),
                    alt,
                    _curve(rows, alt),
                    table,
                    part,
                )


def _lines(cases: Sequence[MeasuredCase], report: Report) -> list[tuple[str, list[MeasuredCase]]]:
    found: dict[str, list[MeasuredCase]] = {}
    for case in sorted(cases, key=lambda case: case.key.batch_size):
        options = f", {clean(case.key.options, 60)}" if case.key.options else ""
        found.setdefault(f"{cells.at_machine(case, report)}, {clean(case.key.precision, 20)}{options}", []).append(case)
    return [(name, members) for name, members in found.items() if len({case.key.batch_size for case in members}) > 1]


def _curve(rows: list[Spec], alt: str) -> Spec:
    series = [row["series"] for row in rows]
    scale = {"type": "log", "nice": False, "padding": 20}
    return {
        **base(alt),
        "data": {"values": rows},
        "encoding": {"x": _BATCH_SIZE, "color": colours(series)},
        "layer": [
            {"mark": "line", "encoding": {"y": quantity("rate", scale=scale, title="images per second"), "strokeDash": dashes(series)}},
            {"mark": "rule", "encoding": {"y": quantity("low", scale=scale), "y2": {"field": "high"}}},
            {"mark": {"type": "point", "filled": True, "size": 60},
             "encoding": {"y": quantity("rate", scale=scale), "shape": shapes(series)}},
        ],
    }  # fmt: skip


def pays_off(report: Report) -> Iterator[Chart]:
    """Speed-up in training over batch size, a line per network and device: where an accelerator stops paying off."""
    rows: list[Spec] = []
    for group in report.groups:
        reference = group.reference
        if reference is None:
            continue
        slow = {_place(setting.train): setting.train for setting in reference.settings}
        for row in group.rows:
            for setting in row.settings:
                twin = slow.get(_place(setting.train))
                if row is not reference and not row.reference and twin is not None and twin.log and setting.train.log:
                    facts = setting.train.facts
                    pixels = f"{facts.height}×{facts.width}" if facts is not None else group.size
                    line = f"{pixels}, {setting.train.key.precision}: {cells.at_machine(setting.train, report)}"
                    ratio = setting.train.log.rate / twin.log.rate
                    rows.append({"series": line, "batch": setting.train.key.batch_size, "ratio": ratio})
    if len({(row["series"].split(",")[0], row["batch"]) for row in rows}) < 2:
        return  # a single batch size of a single image size shows no limit
    series = [row["series"] for row in rows]
    alt = "Training rate against the reference at the same batch size and precision; below 1 the device does not pay off"
    y = quantity("ratio", scale={"type": "log", "nice": True}, title="times the reference's rate")
    encoding = {"x": _BATCH_SIZE, "y": y, "color": colours(series)}
    spec = {
        **base(alt),
        "data": {"values": rows},
        "layer": [
            {"mark": "line", "encoding": encoding},
            {"mark": {"type": "point", "filled": True, "size": 60}, "encoding": {**encoding, "shape": shapes(series)}},
            {"data": {"values": [{}]}, "mark": {"type": "rule", "strokeDash": [4, 4], "color": "var(--soft)"},
             "encoding": {"y": {"datum": 1, "type": "quantitative"}}},
        ],
    }  # fmt: skip
    behind = tuple((row["series"], f"{row['batch']:,}", cells.times(row["ratio"])) for row in rows)
    yield Chart("pays-off", "Where a device pays off: batch size and image size against speed-up", alt, spec,
                Table(("images, precision and device", "batch size", "times the reference's rate"), behind, frozenset({1, 2})), "training")  # fmt: skip


def _place(case: MeasuredCase) -> tuple[str, int]:
    return case.key.precision, case.key.batch_size


def ceilings(report: Report) -> Iterator[Chart]:
    """How near each case comes to the nearest measured ceiling."""
    names: list[str] = []
    for name, cases in by_network(case for case in report.measured if nearest(case) is not None):
        lanes = []
        for case in cases:
            found = nearest(case)
            assert found is not None
            ceiling, percent = found[0], 100 * found[1]
            which = f"{cells.at_machine(case, report)}, {case.key.how.title}, {cells.setting(case)}"
            lanes.append(Lane(which, percent, None, None, f"{number(percent, 2)} % of {ceiling}", ceiling))
        everything = sorted(lanes, key=lambda lane: lane.value)
        lanes = shown(everything)
        alt = listed(f"Achieved share of the nearest measured ceiling, {name}", lanes)
        spec = lanes_spec(lanes, alt, "% of the nearest measured ceiling", scale={"domainMin": 0, "nice": True}, mark="bar")
        title, columns = f"Achieved over measured ceiling: {name}", ("case", "of the nearest ceiling")
        yield lane_chart(tagged("ceilings", names), title, spec, lanes, everything, columns, "training")
