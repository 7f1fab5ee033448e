"""``bench history``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
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
    help="Judge the last K records, 2 or more, of each case: exit with 5 where one of them brought a lasting change for the worse, with "
    "3 where it cannot be told.",
)
@options.inconclusive("--last cannot be judged")
@options.style()
def command(folder: str, last: int, inconclusive: str, style: str) -> None:
    """How each case's rate has moved over the records of a folder.

    One line per case and machine, oldest record first; lasting changes are marked with the record and the commit that brought
    them. Eight records of one machine must come before a change, and two after it, to tell it from noise.
    """
    import msgspec

    from bench.cli.compare import read_group
    from bench.comparison.history import history
    from bench.errors import RecordError, UsageError

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
    if last:
        sys.exit(_judge(lines, last, inconclusive))


def _judge(lines: Sequence[Line], last: int, inconclusive: str) -> int:
    """Say on standard error which lines cannot be judged, and return the exit code."""
    from bench.errors import ExitCode
    from bench.statistics.pairs import Verdict
    from bench.text.words import clean

    judged = [line.judged(last) for line in lines]
    for line, (verdict, reason) in zip(lines, judged, strict=True):
        if verdict is Verdict.INCONCLUSIVE:
            click.echo(f"bench: inconclusive: {clean(line.label, 80)} [{line.machine}]: {reason}", err=True)
    verdicts = {verdict for verdict, _ in judged}
    if Verdict.REGRESSED in verdicts:
        return int(ExitCode.REGRESSED)
    return int(ExitCode.INCONCLUSIVE) if Verdict.INCONCLUSIVE in verdicts and inconclusive == "fail" else 0


_BLOCKS = "▁▂▃▄▅▆▇█"


def _text(line: Line) -> str:
    """The label, a sparkline of times, and a sentence per change."""
    from bench.comparison.model import percent
    from bench.statistics.monitoring import FEWEST_BEFORE, LASTING
    from bench.text.words import clean

    values = [point.log_time for point in line.points]
    low, high = min(values), max(values)
    step = (high - low) / (len(_BLOCKS) - 1) or 1.0
    picture = "".join(_BLOCKS[round((value - low) / step)] for value in values[-60:])
    text = f"{clean(line.label, 80)} [{line.machine}]  {picture}  {len(values)} records"
    if len(values) < FEWEST_BEFORE + LASTING[0]:
        text += f"; {FEWEST_BEFORE + LASTING[0]} are needed to tell a change from noise"
    for change in line.changes:
        point = line.points[change.at]
        commit = clean(point.commit, 12) or "unknown"
        text += f"\n  {percent(change.log_ratio)} from record {clean(point.record, 40)} on ({clean(point.created, 25)}, commit {commit})"
    return text
