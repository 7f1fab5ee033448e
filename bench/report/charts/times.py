"""Pictures of whole trainings: how long each device takes, and where the time goes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from bench.analysis.model import Group, Report, Row
from bench.durations import duration
from bench.projection.assumptions import Assumptions
from bench.report import cells
from bench.report.charts.chart import (
    MOST_LANES,
    SERIES,
    TIME_AXIS,
    Chart,
    Lane,
    Spec,
    base,
    lane_chart,
    lanes_spec,
    listed,
    of_all,
)
from bench.report.costs import cost, paid
from bench.report.notes import labelled, row_labels
from bench.text.sections import Table
from bench.text.words import plural

MOST_PIPELINES = 8


def slug(group: Group, report: Report) -> str:
    """What tells a group's pictures from those of others; nothing where there is one group."""
    if len(report.groups) == 1:
        return ""
    twins = sum((other.workload, other.size) == (group.workload, group.size) for other in report.groups) > 1
    name = f"-{group.workload}-{group.size}" + (f"-{group.digest[:8]}" if twins else "")
    return re.sub(r"[^\w.-]", "_", name)[:100]  # it becomes a file's name


def headline_lanes(group: Group) -> list[Lane]:
    """One training per device, the reference first."""
    lanes = []
    for row, label in labelled(group):
        training = row.best.projection.training
        text = cells.estimated(training, duration)
        lanes.append(Lane(f"{label}, {row.best.train.key.precision}", training.value, *cells.ends(training), text))
    return lanes


def shown(lanes: Sequence[Lane]) -> list[Lane]:
    """The first, and as many of the last as people can compare."""
    return list(lanes) if len(lanes) <= MOST_LANES else [lanes[0], *lanes[-(MOST_LANES - 1) :]]


def headlines(report: Report) -> Iterator[Chart]:
    """Time per training per device, a picture per network."""
    for group in report.groups:
        everything = headline_lanes(group)
        lanes, behind = (sorted(some, key=lambda lane: -lane.value) for some in (shown(everything), everything))
        name = cells.group_name(group, report.groups)
        alt = listed(f"One training of {name}, log scale", lanes)
        spec = lanes_spec(lanes, alt, "time of one training, log scale; whiskers: 95 % interval", TIME_AXIS)
        title, columns = f"One training of {name}, {report.assumptions.dataset.title}", ("device", "one training")
        yield lane_chart(f"headline{slug(group, report)}", title, spec, lanes, behind, columns, "headline")


def pipelines(report: Report) -> Iterator[Chart]:
    """Where one training's time goes, a picture per network."""
    for group in report.groups:
        rows = pipeline_rows(group)
        bars = [(label, bar) for row, label in rows for bar in stages(row, group, report)]
        name = cells.group_name(group, report.groups)
        table = Table(
            ("device", "stage", "from", "to", "seconds"),
            tuple((label, bar[0], f"{100 * bar[1]:.3g} %", f"{100 * bar[2]:.3g} %", f"{bar[3]:.4g}") for label, bar in bars),
            frozenset({2, 3, 4}),
        )
        alt = f"Stages of one training of {name}, as shares of its time: " + "; ".join(
            f"{label}: {bar[0]} {duration(bar[3])}" for label, bar in bars
        )
        title = of_all(f"Where the time of one training goes: {name}", len(rows), len(group.rows))
        yield Chart(
            f"pipeline{slug(group, report)}", title, alt,
            _waterfall([(label, stages(row, group, report)) for row, label in rows], alt), table, "pipeline",
        )  # fmt: skip


def pipeline_rows(group: Group) -> list[tuple[Row, str]]:
    """The devices pictured, with their labels: the reference, and the fastest."""
    rows = labelled(group)
    return rows if len(rows) <= MOST_PIPELINES else [rows[0], *rows[-(MOST_PIPELINES - 1) :]]


def stages(row: Row, group: Group, report: Report) -> list[tuple[str, float, float, float]]:
    """(stage, from, to, seconds): start and end as shares of one training. Where an accelerator is fed by its host, decoding and
    training run side by side, and the longer one sets the pace; on shared cores they follow one another."""
    found = row.best
    projection, measured, data = found.projection, found.measured, report.assumptions.dataset
    whole = sum(projection.parts.values())
    together = 1 / (report.assumptions.devices * report.assumptions.parallel_efficiency)
    images = group.epochs * measured.batches.trained(data.training_images)
    train = images * math.exp(measured.train.mean) * together
    once = 0.0 if projection.decoding is None else projection.decoding.value
    every = None if once else projection.decoded_per_second
    decode = 0.0 if every is None else images / every
    augment = images * (measured.augment or 0.0) * (together if measured.shares_cores else 1.0)
    at = measured.start_up
    rows = [("start-up", 0.0, at)]
    if once:
        rows.append(("decode, once", at, at + once))
        at += once
    if decode:
        rows.append(("decode", at, at + decode))
    if augment:
        rows.append(("augment", at + decode, at + decode + augment))
    host = decode + augment
    begin = at + host if measured.shares_cores else at
    if copy := images / report.assumptions.devices * copying(row, report):
        rows.append(("copy, at the ceiling's rate, part of the step", begin, begin + copy))
    rows.append(("train step", begin, begin + train))
    end = begin + train if measured.shares_cores else at + max(train, host)
    if whole > end * (1 + 1e-9):
        rows.append(("evaluate" + (", with its decoding" if decode else ""), end, whole))
    return [(name, start / whole, stop / whole, stop - start) for name, start, stop in rows]


def copying(row: Row, report: Report) -> float:
    """Least seconds that an image needs to reach the device; 0 where that is unknown, or nothing is copied."""
    facts, case = row.best.train.facts, row.best.train
    if facts is None or case.shares_cores or case.device is None:
        return 0.0
    rate = max(
        (
            ceiling.rate
            for ceiling in report.ceilings.get(row.machine.fingerprint, ())
            if ceiling.kind == "copy" and ceiling.physical == case.device.physical
        ),
        default=0.0,
    )
    return facts.height * facts.width * 3 / rate if rate > 0 else 0.0


STAGE_COLOURS = {
    "start-up": SERIES[3],
    "decode": SERIES[1],
    "copy": SERIES[4],
    "train": SERIES[0],
    "evaluate": SERIES[2],
    "augment": SERIES[5],
}


def _waterfall(devices: Sequence[tuple[str, Sequence[tuple[str, float, float, float]]]], alt: str) -> Spec:
    values: list[Spec] = []
    for label, bars in devices:
        values.append({"id": f"{len(values):04d}", "heading": label})
        for name, start, stop, seconds in bars:
            colour = next(value for key, value in STAGE_COLOURS.items() if name.startswith(key))
            values.append(
                {
                    "id": f"{len(values):04d}", "text": f"{name}: {duration(seconds)}", "from": 100 * start, "to": 100 * stop,
                    "colour": colour,
                }
            )  # fmt: skip
    y = {"field": "id", "type": "nominal", "axis": None}
    x = {"type": "quantitative", "scale": {"domain": [0, 100], "nice": False}}
    words = {"type": "text", "baseline": "bottom", "align": "left", "dy": -5, "fontSize": 12, "limit": {"expr": "width"}}
    return {
        **base(alt, 32 * len(values)),
        "data": {"name": "rows", "values": values},
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.to)"}],
                "mark": {"type": "bar", "height": 9},
                "encoding": {
                    "x": {"field": "from", **x, "axis": {"title": "% of one training", "grid": True}}, "x2": {"field": "to"}, "y": y,
                    "color": {"field": "colour", "type": "nominal", "scale": None},
                },
            },
            {
                "transform": [{"filter": "isValid(datum.text)"}],
                "mark": {**words, "color": "var(--soft)"},
                "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "text"}},
            },
            {
                "transform": [{"filter": "isValid(datum.heading)"}],
                "mark": {**words, "fontWeight": "bold", "dy": 6},
                "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "heading"}},
            },
        ],
    }  # fmt: skip


def sentence(group: Group, assumptions: Assumptions) -> str:
    """The headline in words: how long, how sure, and what it costs where there are prices."""
    labels = row_labels(group)
    fastest = min(range(len(group.rows)), key=lambda place: group.rows[place].best.projection.training.value)
    return " ".join(
        filter(None, (_how_long(group, labels, fastest, assumptions), _what_it_costs(group, labels, fastest, assumptions)))
    )


def network(group: Group) -> str:
    """Size of the images and of the network, where the records tell."""
    facts = group.rows[0].best.train.facts
    return "" if facts is None else f"{facts.height}×{facts.width} pixels, {cells.count(facts.parameters)} parameters"


def subject(group: Group, assumptions: Assumptions) -> str:
    """What is trained, and on how much: under the heading, so that no figure stands without it."""
    data = assumptions.dataset
    parts = [text for text in [network(group)] if text]
    parts.append(
        f"{data.title}, {data.training_images:,} images to train on and {data.validation_images:,} to evaluate, {plural(group.epochs, 'epoch')}"
    )
    if assumptions.devices > 1:
        parts.append(
            f"{assumptions.devices:,} devices of each kind together at a parallel efficiency of {assumptions.parallel_efficiency:g}"
        )
    return "; ".join(parts) + "."


def _how_long(group: Group, labels: Sequence[str], fastest: int, assumptions: Assumptions) -> str:
    best = group.rows[fastest]
    one = "One training" if assumptions.devices == 1 else f"With {assumptions.devices:,} devices each, one training"
    time = cells.estimated(best.best.projection.training, duration)
    if group.reference is None or best.reference:
        others = [place for place in range(len(group.rows)) if place != fastest]
        text = f"{one} takes {time} on {labels[fastest]}"
        if not others:
            return f"{text}, the only device measured."
        second = min(others, key=lambda place: group.rows[place].best.projection.training.value)
        other = cells.estimated(group.rows[second].best.projection.training, duration)
        return f"{text}, the fastest of {len(labels):,}; the next, {labels[second]}, needs {other}."
    slow = cells.estimated(group.reference.best.projection.training, duration)
    text = f"{one} takes {slow} on {labels[0]} and {time} on {labels[fastest]}"
    if best.best.best is None:
        return f"{text}."
    star = " (without what was not measured on both)" if best.best.best.left_out else ""
    return f"{text}: {cells.estimated(best.best.best.factor, cells.times)} as fast{star}."


def _what_it_costs(group: Group, labels: Sequence[str], fastest: int, assumptions: Assumptions) -> str:
    """What the fastest device costs, and which one costs least; only prices in one currency can be compared."""
    found = [(place, cost(row, group, assumptions)) for place, row in enumerate(group.rows)]
    known = {place: one for place, one in found if one is not None}
    if not known or len({one.price.currency for one in known.values()}) > 1:
        return ""
    cheapest = min(known, key=lambda place: known[place].training.value)
    currency = known[cheapest].price.currency
    bare = "" if currency else " (no currency was given)"
    least = f"{paid(known[cheapest].training, currency)}{bare} on {labels[cheapest]}"
    of = f"the least of the {len(known):,} with a price" if len(known) > 1 else "the only one with a price"
    if cheapest == fastest or fastest not in known:
        return f"It costs {least}, {of}."
    return f"It costs {paid(known[fastest].training, currency)} on {labels[fastest]} and least, {least}."
