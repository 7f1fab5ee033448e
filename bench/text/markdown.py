"""Markdown as GitHub shows it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.text.sections import Section, Table
from bench.text.words import markdown


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
