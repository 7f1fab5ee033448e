"""``bench race``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bench.report.model import Report

_FRAMES_PER_SECOND = 12
_SHORTEST, _LONGEST = 1.0, 3600.0


@click.command(name="race")
@click.argument("records", metavar="[RECORD]...", nargs=-1)
@click.option(
    "--seconds",
    type=float,
    default=20.0,
    show_default=True,
    metavar="S",
    help="That the slowest device's training lasts on the screen.",
)
@click.option("--dataset", default="ham10000", show_default=True, help="ham10000, isic2020, slice3d or archive.")
@click.option("--images", type=int, help="Number of images, instead of the data set's.")
@click.option("--epochs", type=int, help="Epochs of one training, instead of the workload's.")
@click.option("--workload", help="Only this workload.")
@click.option("--size", help="Only this size.")
def command(
    records: tuple[str, ...],
    seconds: float,
    dataset: str,
    images: int | None,
    epochs: int | None,
    workload: str | None,
    size: str | None,
) -> None:
    """Show the devices of records training side by side, to scale.

    Each bar is one whole training as it is projected from what was measured, all slowed down or sped up alike, so that people
    see how much earlier one device is done. Without a terminal only the order of arrival is printed.
    """
    import sys

    from bench.cli.report import read_named
    from bench.datasets import adapted, find_dataset
    from bench.durations import duration
    from bench.errors import NotComparableError, UsageError
    from bench.projection.assumptions import Assumptions
    from bench.report import build

    if not _SHORTEST <= seconds <= _LONGEST:
        raise UsageError(f"a race of {seconds:g} seconds is not possible; expected {_SHORTEST:g} to {_LONGEST:g}")
    assumptions = Assumptions(dataset=adapted(find_dataset(dataset), images), epochs=epochs, workload=workload, size=size)
    report = build(read_named(records), assumptions)
    if not report.groups:
        raise NotComparableError("no training can be projected from these records, so there is nothing to race")
    for title, lanes in _races(report):
        slowest = max(whole for _, whole in lanes)
        scale = slowest / seconds
        click.echo(f"{title}; a second on the screen is {duration(scale)}")
        if sys.stdout.isatty():
            _run(lanes, scale)
        for place, (name, whole) in enumerate(sorted(lanes, key=lambda lane: lane[1]), 1):
            ahead = "" if whole == slowest else f", {slowest / whole:.3g} times as fast as the last"
            click.echo(f"{place}. {name}: {duration(whole)}{ahead}")


def _races(report: Report) -> list[tuple[str, list[tuple[str, float]]]]:
    """Per network its title, and each device with the seconds of one training."""
    from bench.report import cells
    from bench.report.notes import row_labels

    races = []
    for group in report.groups:
        lanes = [
            (f"{label}, {row.best.train.key.precision}", row.best.projection.training.value)
            for row, label in zip(group.rows, row_labels(group), strict=True)
        ]
        name, data = cells.group_name(group, report.groups), report.assumptions.dataset
        races.append((f"One training of {name}: {data.title}, {data.images:,} images, {group.epochs:,} epochs", lanes))
    return races


def _run(lanes: list[tuple[str, float]], scale: float) -> None:
    """Bars that fill at the devices' own paces, until the last has arrived."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn

    from bench.durations import duration

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[clock]}", markup=False),
    )
    with Progress(*columns, expand=True, refresh_per_second=_FRAMES_PER_SECOND) as progress:
        tasks: list[tuple[TaskID, float]] = [
            (progress.add_task(name, total=whole, clock=""), whole) for name, whole in lanes
        ]
        started = time.monotonic()
        while not progress.finished:
            now = (time.monotonic() - started) * scale
            for task, whole in tasks:
                done = min(now, whole)
                progress.update(task, completed=done, clock=f"{'done in ' if done >= whole else ''}{duration(done)}")
            time.sleep(1 / _FRAMES_PER_SECOND)
