"""``bench alarm-rate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options

if TYPE_CHECKING:
    from bench.comparison.alarms import Alarms

STYLES = ("text", "markdown", "json")


@click.command(name="alarm-rate")
@click.argument("places", metavar="[PLACE]...", nargs=-1, type=click.Path(path_type=Path))
@options.style(styles=STYLES)
def command(places: tuple[Path, ...], style: str) -> None:
    """Count the verdicts of checks of unchanged code: how often a runner raises a false alarm.

    PLACE is a file that 'bench check --json' wrote, or a folder that holds such files at any depth. Default: bench-results.
    What was unchanged only you know: a check against the very commit that is measured, such as with --against-ref HEAD. Limits are one-sided 97.5 % (Clopper and Pearson).

    \b
    bench check --against-ref HEAD --json checks/1.json
    bench alarm-rate checks
    """
    import msgspec

    from bench.comparison.alarms import count_alarms, sections
    from bench.text.markdown import markdown_page
    from bench.text.terminal import terminal_page

    alarms: Alarms = count_alarms(places or (Path("bench-results"),))
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(alarms), indent=1).decode())
    else:
        page = markdown_page if style == "markdown" else terminal_page
        click.echo(page(sections(alarms)), nl=False)
