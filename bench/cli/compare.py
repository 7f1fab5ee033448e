"""``bench compare``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import NotComparableError, RecordError

if TYPE_CHECKING:
    from bench.comparison.model import Comparison
    from bench.record.schema import Record

VARIABLE = ("framework", "driver", "device")
FORMATS = ("terminal", "markdown", "json", "junit")


@click.command(name="compare")
@click.argument("base", metavar="A")
@click.argument("candidate", metavar="B")
@click.option(
    "--vary",
    multiple=True,
    type=click.Choice(VARIABLE),
    help="The fact under test; everything else must match (repeatable).",
)
@options.style(styles=FORMATS)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of standard output.")
def command(base: str, candidate: str, vary: tuple[str, ...], style: str, output: Path | None) -> None:
    """Hold two records, or two groups of records, against each other.

    A and B are a record, a run's folder, or a folder of runs. Each case that both hold gets an effect with its interval; a
    verdict only where the figures allow one: pairs of one check, or enough sessions of one machine. Across machines there is
    an effect and no verdict (exit code 4).

    \b
    bench compare results/before results/after
    bench compare torch-2.12/ torch-2.13/ --vary framework
    """
    from bench.cli.report import check_writable, write
    from bench.comparison.compare import compare

    if output is not None:
        check_writable(output)
    groups = read_group(base), read_group(candidate)
    twice = {record.id for record in groups[0]} & {record.id for record in groups[1]}
    if twice:
        raise NotComparableError(f"record {sorted(twice)[0]} is on both sides, and is no news of itself")
    names = [Path(name).name.encode(errors="replace").decode() for name in (base, candidate)]
    result = compare(*groups, vary, (names[0], names[1]))
    write(rendered(result, style, "Comparison"), output)
    sys.exit(int(result.exit_code))


def read_group(name: str) -> list[Record]:
    """Every record at a place, copies once. Raises RecordError for one that cannot be read or cannot be true, and where there is none."""
    from bench.record.places import place_of, read_place, records_at
    from bench.record.plausible import refuse_impossible
    from bench.text.waiting import told

    place = place_of(name)
    with told(lambda: f"bench: looking for records at {place}"):
        found = records_at(place)
    if not found and isinstance(place, Path) and not place.exists():
        raise RecordError(f"there is no record at {name}; expected a record, a run's folder, or a folder of runs")
    with told(lambda: f"bench: reading records at {place}"):
        records = [read_place(path) for path in found or [place]]
    for record in records:
        refuse_impossible(record)
    return list({record.id: record for record in records}.values())


def rendered(result: Comparison, style: str, title: str) -> str:
    """The comparison in one of ``FORMATS``."""
    from bench.comparison.document import as_json, as_junit, sections

    if style == "json":
        return as_json(result)
    if style == "junit":
        return as_junit(result, f"bench {title.lower()}")
    from bench.text.markdown import markdown_page
    from bench.text.terminal import terminal_page

    return (markdown_page if style == "markdown" else terminal_page)(sections(result, title))
