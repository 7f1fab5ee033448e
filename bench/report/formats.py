"""The formats of a report: ``render(build(records), "terminal")``. They reach no worker and no plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bench.analysis.model import Report
from bench.errors import UsageError
from bench.report.charts.chart import Chart
from bench.report.data import CsvReporter, JsonReporter
from bench.report.document import document, document_parts
from bench.report.page.page import HtmlReporter
from bench.report.pytest_benchmark import PytestBenchmarkReporter
from bench.text.markdown import markdown_page
from bench.text.terminal import terminal_page
from bench.text.words import markdown


class Format(Protocol):
    """A built-in format that is text. A plugin's reporter (``bench.contract.Reporter``) gets a document instead of the report."""

    name: str

    def render(self, report: Report) -> str:
        """The report as text."""
        ...


class TerminalReporter:
    """Tables for people; ``width`` None takes the terminal's, or 110 where there is none."""

    name = "terminal"

    def __init__(self, width: int | None = None) -> None:
        self.width = width

    def render(self, report: Report) -> str:
        """The report as text, no line longer than the width where words allow."""
        return terminal_page(document(report), self.width)


class MarkdownReporter:
    """Pipe tables and lists; every string is escaped."""

    name = "markdown"

    def render(self, report: Report) -> str:
        """The report as a page to paste into an issue or a README."""
        return markdown_page(document(report))


BUILT_IN: tuple[Format, ...] = (
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


def markdown_with_pictures(report: Report, pictures: Sequence[tuple[Chart, str]]) -> str:
    """The page with each picture, by the name of its file, before the tables; the first stands on top."""
    shown = [f"![{markdown(chart.alt)}](<{file}>)" for chart, file in pictures]
    parts = document_parts(report)
    headline = markdown_page([*parts.pop("headline", []), *parts.pop("cost", [])])
    rest = markdown_page([section for sections in parts.values() for section in sections])
    return "\n\n".join([*shown[:1], headline.rstrip(), *shown[1:], rest])
