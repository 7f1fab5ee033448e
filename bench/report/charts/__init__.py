"""Pictures of a report as Vega-Lite: the same specifications in the page, in PNG and in SVG."""

from __future__ import annotations

from bench.report.charts.belief import forecasts, spread, warm_ups
from bench.report.charts.chart import Chart
from bench.report.charts.latency import latency, throughput
from bench.report.charts.quality import quality
from bench.report.charts.rates import batches, ceilings, pays_off, training
from bench.report.charts.times import headlines, pipelines
from bench.report.model import Report


def charts(report: Report) -> list[Chart]:
    """Every picture that the report has data for, in the order of the page."""
    found = [*headlines(report), *pipelines(report), *training(report), *batches(report), *pays_off(report)]
    found += [*ceilings(report), *quality(report), *latency(report), *throughput(report)]
    return [*found, *forecasts(report), *spread(report), *warm_ups(report)]


__all__ = ["Chart", "charts"]
