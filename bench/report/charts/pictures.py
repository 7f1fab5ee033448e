"""Every chart of a report, and one as PNG or SVG, drawn by vl-convert (Vega-Lite without a browser)."""

from __future__ import annotations

from types import ModuleType

from bench.analysis.model import Report
from bench.errors import UsageError
from bench.report.charts.belief import forecasts, spread, warm_ups
from bench.report.charts.chart import LIGHT, Chart, painted
from bench.report.charts.latency import latency, throughput
from bench.report.charts.quality import quality
from bench.report.charts.rates import batches, ceilings, inference, pays_off, training
from bench.report.charts.times import headlines, pipelines

HEADLINE = "headline"

_SCALE = 2.0
"""Of a PNG: sharp on dense screens."""


def charts(report: Report) -> list[Chart]:
    """Every picture that the report has data for, in the order of the page."""
    found = [
        *headlines(report),
        *inference(report),
        *pipelines(report),
        *training(report),
        *batches(report),
        *pays_off(report),
    ]
    found += [*ceilings(report), *quality(report), *latency(report), *throughput(report)]
    return [*found, *forecasts(report), *spread(report), *warm_ups(report)]


def find_chart(report: Report, name: str) -> Chart:
    """The chart of that name. Raises UsageError with the names there are."""
    found = charts(report)
    chosen = next((chart for chart in found if chart.name == name), None)
    if chosen is None and found:  # of several networks the first: headline for headline-melanoma-small
        chosen = next((chart for chart in found if chart.name.startswith(f"{name}-") and chart.part == name), None)
    if chosen is None and name == HEADLINE and found and not report.groups:
        chosen = found[0]  # where nothing was trained, what the report begins with
    if chosen is None:
        there = ", ".join(chart.name for chart in found) or "none, since nothing was measured that one could show"
        raise UsageError(f"the records give no chart '{name:.60}'; there is: {there}")
    return chosen


def converter() -> ModuleType:
    """Return the module that draws Vega-Lite. Raises UsageError where it is missing."""
    try:
        import vl_convert
    except ImportError:
        raise UsageError("pictures and pages need vl-convert; pip install vl-convert-python") from None
    return vl_convert


def picture(chart: Chart, format: str) -> bytes:
    """The chart with its title, as ``png`` or ``svg``. Raises UsageError where vl-convert is missing."""
    vl_convert = converter()
    spec = painted(chart.spec)
    spec["title"] = {
        "text": chart.title,
        "color": LIGHT["ink"],
        "anchor": "start",
        "fontSize": 15,
        "offset": 12,
        "limit": 740,
    }
    if format == "svg":
        return str(vl_convert.vegalite_to_svg(spec)).encode()
    return bytes(vl_convert.vegalite_to_png(spec, scale=_SCALE))
