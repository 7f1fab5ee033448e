"""What the formats for people are made of: sections with a heading, a table and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NO_BREAK = "\N{NO-BREAK SPACE}"
"""Between words that belong on one line; terminals get a space."""

LONGEST_LIST = 20
"""Lists longer than this are cut, and say so; csv and json hold everything."""


@dataclass(frozen=True)
class Table:
    """Cells as text. The first column is the row's name."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()  # columns set flush right


@dataclass(frozen=True)
class Section:
    """A heading, a table or none, and sentences."""

    title: str
    table: Table | None = None
    lines: tuple[str, ...] = ()


def cut(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines, or the first of very many."""
    if len(lines) <= LONGEST_LIST:
        return tuple(lines)
    return (*lines[: LONGEST_LIST - 1], f"… and {len(lines) - LONGEST_LIST + 1:,} more: see --format json")
