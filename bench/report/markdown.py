"""Markdown as GitHub shows it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.charts import Chart
from bench.report.document import document, document_parts
from bench.report.model import Report
from bench.report.sections import Section, Table
from bench.report.text import markdown


class MarkdownReporter:
    """Pipe tables and lists; every string is escaped."""

    name = "markdown"

    def render(self, report: Report) -> str:
        """The report as a page to paste into an issue or a README."""
        return markdown_page(document(report))


def markdown_with_pictures(report: Report, pictures: Sequence[tuple[Chart, str]]) -> str:
    """The page with each picture, by the name of its file, before the tables; the first stands on top."""
    shown = [f"![{markdown(chart.alt)}](<{file}>)" for chart, file in pictures]
    parts = document_parts(report)
    headline = markdown_page([*parts.pop("headline", []), *parts.pop("cost", [])])
    rest = markdown_page([section for sections in parts.values() for section in sections])
    return "\n\n".join([*shown[:1], headline.rstrip(), *shown[1:], rest])


def markdown_page(sections: Sequence[Section]) -> str:
    """Sections as Markdown; every string is escaped."""
    return "\n\n".join(_section(section) for section in sections) + "\n"


def _section(section: Section) -> str:
    parts = [f"### {markdown(section.title)}"]
    if section.table is not None:
        parts.append(_table(section.table))
    if section.lines:
        parts.append("\n".join(f"- {markdown(line)}" for line in section.lines))
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    from tabulate import tabulate

    rows = [[markdown(cell) for cell in row] for row in table.rows]
    align = ["right" if column in table.right else "left" for column in range(len(table.columns))]
    headers = [markdown(name) for name in table.columns]
    return tabulate(rows, headers, tablefmt="pipe", disable_numparse=True, colalign=align if rows else None)
