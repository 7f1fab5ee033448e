"""``bench history``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bench.cli import options

if TYPE_CHECKING:
    from bench.comparison.history import Line


@click.command(name="history")
@click.argument("folder", metavar="[FOLDER]", default="bench-results")
@click.option(
    "--last",
    type=int,
    default=0,
    metavar="K",
    help="Exit with 5 where one of the last K records, 2 or more, brought a lasting change for the worse.",
)
@options.style()
def command(folder: str, last: int, style: str) -> None:
    """How each case's rate has moved over the records of a folder.

    One line per case and machine, oldest record first; lasting changes are marked with the record and the commit that brought
    them. At least eight records of one machine are needed to tell a change from noise.
    """
    import msgspec

    from bench.cli.compare import read_group
    from bench.comparison.history import history
    from bench.errors import ExitCode, RecordError, UsageError

    if last < 0 or last == 1:
        raise UsageError(
            f"--last {last} is not possible: a lasting change takes two records; expected 2 or more, or 0 for none"
        )
    lines = history(read_group(folder))
    if not lines:
        raise RecordError(f"the records under {folder} hold no trial that ran and was proven; there is no history to show")
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(lines), indent=1).decode())
    else:
        for line in lines:
            click.echo(_text(line))
    sys.exit(int(ExitCode.REGRESSED) if any(line.worse_in_last(last) for line in lines) else 0)


_BLOCKS = "▁▂▃▄▅▆▇█"


def _text(line: Line) -> str:
    """The label, a sparkline of times, and a sentence per change."""
    from bench.comparison.model import percent
    from bench.statistics.changes import FEWEST_RECORDS
    from bench.text.words import clean

    values = [point.log_time for point in line.points]
    low, high = min(values), max(values)
    step = (high - low) / (len(_BLOCKS) - 1) or 1.0
    picture = "".join(_BLOCKS[round((value - low) / step)] for value in values[-60:])
    text = f"{clean(line.label, 80)} [{line.machine}]  {picture}  {len(values)} records"
    if len(values) < FEWEST_RECORDS:
        text += f"; {FEWEST_RECORDS} are needed to tell a change from noise"
    for change in line.changes:
        point = line.points[change.at]
        commit = clean(point.commit, 12) or "unknown"
        text += f"\n  {percent(change.log_ratio)} from record {clean(point.record, 40)} on ({clean(point.created, 25)}, commit {commit})"
    return text
