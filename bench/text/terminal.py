"""Plain text for a terminal: tables that wrap to its width, or one block per row where it is too narrow for a table."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from bench.durations import UNKNOWN
from bench.text.sections import NO_BREAK, Section, Table

_GAP = 2  # columns between two cells
_NARROWEST = 6  # to which a column may be squeezed
_WIDEST_PAGE = 140


def terminal_page(sections: Sequence[Section], width: int | None = None) -> str:
    """Sections as text for a terminal of so many columns; None asks the terminal."""
    width = max(width or min(shutil.get_terminal_size((110, 24)).columns, _WIDEST_PAGE), 20)
    return "\n\n".join(_section(section, width) for section in sections) + "\n"


def _section(section: Section, width: int) -> str:
    parts = [_wrapped(section.title, width, ""), ""]
    if section.table is not None:
        parts += [_table(section.table, width), ""]
    parts += [_wrapped(line, width, "  ") for line in section.lines]
    return "\n".join(parts).rstrip()


def _wrapped(line: str, width: int, indent: str) -> str:
    lines = textwrap.wrap(line, width, initial_indent=indent, subsequent_indent=2 * indent, break_on_hyphens=False)
    return "\n".join(lines).replace(NO_BREAK, " ")


def _table(table: Table, width: int) -> str:
    widths = _fitting(table, width)
    if widths is None:
        turned = _turned(table)
        widths = _fitting(turned, width)
        if widths is None:
            return _blocks(table, width)
        table = turned
    from tabulate import tabulate

    rows = [[_broken(cell, limit) for cell, limit in zip(row, widths, strict=True)] for row in (table.columns, *table.rows)]
    rules = ["-" * max(len(line) for cell in column for line in cell.split("\n")) for column in zip(*rows, strict=True)]
    align = ["right" if column in table.right else "left" for column in range(len(table.columns))]
    text = tabulate([rows[0], rules, *rows[1:]], tablefmt="plain", disable_numparse=True, colalign=align)
    return "\n".join(line.rstrip() for line in text.replace(NO_BREAK, " ").split("\n"))


def _broken(cell: str, limit: int) -> str:
    return cell if len(cell) <= limit else "\n".join(textwrap.wrap(cell, limit, break_on_hyphens=False))


def _fitting(table: Table, width: int) -> list[int] | None:
    """A width per column so that the table fits, the widest squeezed first; None where it cannot."""
    cells = list(zip(table.columns, *table.rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in cells]
    longest_word = [max((len(word) for cell in column for word in cell.split(" ")), default=1) for column in cells]
    floors = [min(max(word, _NARROWEST), full) for word, full in zip(longest_word, widths, strict=True)]
    room = width - _GAP * (len(widths) - 1)
    if sum(floors) > room:
        return None
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda column: widths[column] - floors[column])
        widths[widest] -= 1
    return widths


def _blocks(table: Table, width: int) -> str:
    """Each row as its name, and beneath it ``column: cell`` for every cell that says something."""
    blocks = []
    for row in table.rows:
        facts = [f"{name}: {cell}" for name, cell in zip(table.columns[1:], row[1:], strict=True) if cell != UNKNOWN]
        blocks.append(f"{_wrapped(row[0], width, '')}\n{_wrapped('; '.join(facts), width, '  ')}")
    return "\n".join(blocks)


def _turned(table: Table) -> Table:
    """Rows and columns exchanged: few devices with many figures fit a narrow terminal so."""
    names, *columns = zip(*table.rows, strict=True)
    rows = zip(table.columns[1:], *zip(*columns, strict=True), strict=True)
    return Table((table.columns[0], *names), tuple(rows))
