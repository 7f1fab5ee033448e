"""What pictures are made of: a specification, the sentence that says what it shows, and the table behind it.

Colours are CSS variables, so that a page follows its reader's dark mode and prints on white; ``painted`` puts colours in
their place where there is no style sheet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.text.sections import NO_BREAK, Table

Spec = dict[str, Any]

LIGHT = {
    "ink": "#1b1f24", "soft": "#57606a", "grid": "#d0d7de", "paper": "#ffffff", "c0": "#0a5aa8", "c1": "#b1440e", "c2": "#1a7340",
    "c3": "#7a3aa0", "c4": "#806000", "c5": "#a3195b",
}  # fmt: skip
"""Contrast with the paper: at least 4.5 for ink, soft and every series (WCAG 2.2, 1.4.3 and 1.4.11)."""

DARK = {
    "ink": "#e6edf3", "soft": "#a4adb8", "grid": "#3d444d", "paper": "#0d1117", "c0": "#6cb2f5", "c1": "#f39a5f", "c2": "#5fcf8f",
    "c3": "#c59cf0", "c4": "#dcbf45", "c5": "#f08bbd",
}  # fmt: skip

SERIES = tuple(f"var(--c{number})" for number in range(6))
_DASHES = ([1, 0], [6, 3], [2, 3], [10, 3, 2, 3])
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")
MOST_LANES = 24
"""Pictures show no more rows than people can compare; the table behind holds all."""

_LANE = 58
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_SECONDS = (
    *(mantissa * 10.0**power for power in range(-6, 0) for mantissa in (1, 2, 5)),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 30.0),
    *(60.0 * minutes for minutes in (1, 2, 5, 10, 20, 30)),
    *(3600.0 * hours for hours in (1, 2, 5, 10, 24)),
    *(86400.0 * days for days in (2, 4, 7, 14, 30, 90, 180)),
    *(31557600.0 * years for years in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)
_AS_TIME = (
    "datum.value < 0.001 ? format(datum.value * 1e6, '~r') + ' µs' : datum.value < 1 ? format(datum.value * 1e3, '~r') + ' ms' : "
    "datum.value < 60 ? format(datum.value, '~r') + ' s' : datum.value < 3600 ? datum.value / 60 + ' min' : "
    "datum.value < 172800 ? datum.value / 3600 + ' h' : datum.value < 31557600 ? datum.value / 86400 + ' days' : "
    "datum.value < 31557601 ? '1 year' : format(datum.value / 31557600, ',') + ' years'"
)
TIME_AXIS = {"values": list(_SECONDS), "labelExpr": _AS_TIME}

_CONFIG = {
    "background": None,
    "font": "system-ui, 'Segoe UI', 'Liberation Sans', 'DejaVu Sans', sans-serif",
    "view": {"stroke": None},
    "text": {"color": "var(--ink)"},
    "axis": {
        "labelColor": "var(--ink)", "titleColor": "var(--ink)", "gridColor": "var(--grid)", "domainColor": "var(--soft)",
        "tickColor": "var(--soft)", "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelOverlap": "greedy",
        "labelSeparation": 8,
    },
    "legend": {
        "labelColor": "var(--ink)", "titleColor": "var(--ink)", "labelFontSize": 12, "orient": "bottom", "columns": 1,
        "labelLimit": {"expr": "width - 16"}, "title": None, "symbolSize": 80,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """A picture."""

    name: str  # as --chart calls it
    title: str
    alt: str  # what it shows, for who cannot see it
    spec: Spec
    table: Table
    part: str  # of the page that it stands in


@dataclass(frozen=True)
class Lane:
    """One row of a picture that has a row per thing: a name, a figure with its interval, and both as text."""

    name: str
    value: float
    low: float | None
    high: float | None
    text: str
    series: str = ""


def of_all(title: str, shown: int, everything: int) -> str:
    """The title, and how many are pictured where not all are; the table behind has all."""
    return title if shown >= everything else f"{title}, {shown:,} of {everything:,}"


def base(description: str, height: int = 260) -> Spec:
    """What every picture has in common; as wide as the place it stands in."""
    return {
        "$schema": _SCHEMA, "description": description, "width": "container", "height": height, "config": _CONFIG,
        "padding": {"left": 4, "top": 4, "right": 12, "bottom": 4},
    }  # fmt: skip


def lane_rows(lanes: Sequence[Lane]) -> list[Spec]:
    """The data of ``lanes_spec``."""
    return [
        {
            "id": f"{number:04d}", "name": lane.name, "value": lane.value, "low": lane.value if lane.low is None else lane.low,
            "high": lane.value if lane.high is None else lane.high, "text": lane.text, "series": lane.series,
        }
        for number, lane in enumerate(lanes)
    ]  # fmt: skip


def lanes_spec(
    lanes: Sequence[Lane],
    description: str,
    title: str,
    axis: Spec | None = None,
    scale: Spec | None = None,
    mark: str = "point",
) -> Spec:
    """A row per lane: its name and figure as text above, the figure as a point with whiskers, or as a bar, on a common axis."""
    x = {"type": "quantitative", "scale": {"type": "log", "nice": False, "padding": 14} if scale is None else scale}
    y = {"field": "id", "type": "nominal", "axis": None, "scale": {"padding": 0}, "bandPosition": 0.8}
    colour = _series_colour([lane.series for lane in lanes])
    figure: Spec
    if mark == "bar":
        figure = {
            "transform": [{"calculate": "0", "as": "zero"}],
            "mark": {"type": "rule", "strokeWidth": 9},
            "encoding": {"x": {"field": "zero", **x}, "x2": {"field": "value"}, "y": y, "color": colour},
        }
    else:
        figure = {
            "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
            "encoding": {
                "x": {"field": "value", **x}, "y": y, "color": colour,
                "tooltip": [{"field": "name", "title": "device"}, {"field": "text", "title": "figure"}],
            },
        }  # fmt: skip
    whisker = {
        "mark": {"type": "rule", "strokeWidth": 3},
        "encoding": {
            "x": {"field": "low", **x, "axis": {"title": title, "grid": True, **(axis or {})}},
            "x2": {"field": "high"}, "y": y, "color": colour,
        },
    }  # fmt: skip
    words = {"type": "text", "baseline": "bottom", "align": "left", "fontSize": 12, "limit": {"expr": "width"}}
    name = {"mark": {**words, "dy": -22}, "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "name"}}}
    text = {
        "mark": {**words, "dy": -7, "fontWeight": "bold"},
        "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "text"}},
    }
    return {
        **base(description, _LANE * max(len(lanes), 1)),
        "data": {"name": "rows", "values": lane_rows(lanes)},
        "layer": [whisker, figure, name, text],
    }


def _series_colour(series: Sequence[str]) -> Spec:
    names = sorted(set(series))
    return {"value": SERIES[0]} if len(names) < 2 else {**colours(names), "legend": {}}


def listed(what: str, lanes: Sequence[Lane]) -> str:
    """A sentence of what the lanes show, and the figure of each."""
    return f"{what}: " + "; ".join(f"{lane.name}: {lane.text}" for lane in lanes)


def lane_chart(
    name: str, title: str, spec: Spec, shown: Sequence[Lane], lanes: Sequence[Lane], columns: tuple[str, str], part: str
) -> Chart:
    """A picture of the lanes ``shown``, which ``lanes_spec`` has made; the table behind it has a row for each of ``lanes``."""
    table = Table(columns, tuple((lane.name, lane.text) for lane in lanes), frozenset({1}))
    alt = spec["description"].replace(NO_BREAK, " ")
    return Chart(name, of_all(title, len(shown), len(lanes)), alt, spec, table, part)


def colours(names: Sequence[str]) -> Spec:
    """A colour for each series, the same however they are ordered."""
    return _told_apart(names, SERIES)


def shapes(names: Sequence[str]) -> Spec:
    """A shape for each series: colour alone must not tell them apart."""
    return _told_apart(names, SHAPES)


def dashes(names: Sequence[str]) -> Spec:
    """A dash pattern for each series, for the same reason."""
    return _told_apart(names, _DASHES)


def _told_apart(names: Sequence[str], values: Sequence[Any]) -> Spec:
    """The channel of a picture in which each series has one of the values."""
    ordered = sorted(set(names))
    scale = {"domain": ordered, "range": [values[number % len(values)] for number in range(len(ordered))]}
    return {"field": "series", "type": "nominal", "scale": scale}


def quantity(field: str, **more: Any) -> Spec:
    """The channel of a picture that a number is read from."""
    return {"field": field, "type": "quantitative", **more}


def digits(value: float) -> float:
    """Return the value to six digits: more than a picture shows, and a third of the text."""
    return float(f"{value:.6g}")


def painted(spec: Spec, colours: Mapping[str, str] = LIGHT, width: int = 760) -> Spec:
    """The specification with colours instead of variables and a width of its own, for pictures outside a page."""
    text = re.sub(r"var\(--([a-z0-9]+)\)", lambda found: colours[found[1]], json.dumps(spec))
    plain: Spec = json.loads(text)
    plain["width"] = width
    plain["background"] = colours["paper"]
    return plain
