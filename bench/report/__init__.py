"""Reports on records: ``render(build(records), "terminal")``. They reach no worker and no plugin."""

from __future__ import annotations

from bench.contract import Reporter
from bench.errors import UsageError
from bench.projection import Assumptions
from bench.report.builder import build
from bench.report.data import CsvReporter, JsonReporter
from bench.report.markdown import MarkdownReporter
from bench.report.model import Report
from bench.report.page import HtmlReporter
from bench.report.pytest_benchmark import PytestBenchmarkReporter
from bench.report.terminal import TerminalReporter

BUILT_IN: tuple[Reporter, ...] = (
    TerminalReporter(),
    MarkdownReporter(),
    HtmlReporter(),
    CsvReporter(),
    JsonReporter(),
    PytestBenchmarkReporter(),
)


def render(report: Report, format: str = "terminal", width: int | None = None) -> str:
    """The report's text in one of the built-in formats. ``width`` is for the terminal. Raises UsageError."""
    if format == "terminal":
        return TerminalReporter(width=width).render(report)
    for reporter in BUILT_IN:
        if reporter.name == format:
            return reporter.render(report)
    raise UsageError(f"unknown format '{format:.40}'; expected {', '.join(reporter.name for reporter in BUILT_IN)}")


__all__ = ["BUILT_IN", "Assumptions", "Report", "build", "render"]
