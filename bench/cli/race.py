"""``bench race``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options
from bench.errors import NotComparableError, UsageError

if TYPE_CHECKING:
    from bench.analysis.model import Report
    from bench.report.charts.chart import Lane
    from bench.run.trainings import Training

_FRAMES_PER_SECOND = 12
_SHORTEST, _LONGEST = 1.0, 3600.0
_LIVE_IMAGES = 2048


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
@click.option("--images", type=int, help="Number of images, instead of the data set's; with --live of synthetic ones.")
@click.option("--epochs", type=int, help="Epochs of one training, instead of the workload's.")
@click.option("--workload", help="Only this workload; with --live the one to train.")
@click.option("--size", help="Only this size; with --live the one to train, tiny by default.")
@click.option("--live", is_flag=True, help="Really train, on all devices here at once, instead of showing records.")
@options.many("--backend", "backends", "NAME", "With --live: a backend (repeatable).")
@click.option("--precision", metavar="NAME", help="With --live.  [default: fp32]")
@click.option("--data", metavar="PATH", help="With --live: images to train on.  [default: synthetic lesions]")
@click.option("--wait", is_flag=True, help="With --live: queue behind another run on the same processors.")
@options.stall
def command(**values: Any) -> None:
    """Show the devices of records training side by side, to scale.

    Each bar is one whole training as it is projected from what was measured, all slowed down or sped up alike, so that people
    see how much earlier one device is done. Without a terminal only the order of arrival is printed.

    With --live the devices of this machine really train, all at once. Those that share its processors disturb one another: it is
    a show, and bench run measures. Exit codes of a live race: 0, 4 if none arrived, 6 if some did not.
    """

    seconds = values["seconds"]
    if not _SHORTEST <= seconds <= _LONGEST:
        raise UsageError(f"a race of {seconds:g} seconds is not possible; expected {_SHORTEST:g} to {_LONGEST:g}")
    if values["live"]:
        if values["records"]:
            raise UsageError("a live race trains here and shows no records; leave out --live or the records")
        sys.exit(_live(values))
    alone = [f"--{name}" for name in ("precision", "data", "wait") if values[name]] + ["--backend"] * bool(
        values["backends"]
    )
    if alone:
        raise UsageError(f"{alone[0]} is for races with --live; records are shown as they were measured")
    _replay(values)


def _replay(values: dict[str, Any]) -> None:
    from bench.analysis.build import build
    from bench.cli.report import on_terminal, read_named, tell
    from bench.datasets import adapted, find_dataset
    from bench.durations import duration
    from bench.projection.assumptions import Assumptions

    assumptions = Assumptions(
        dataset=adapted(find_dataset(values["dataset"]), values["images"]),
        epochs=values["epochs"],
        workload=values["workload"],
        size=values["size"],
    )
    report = build(read_named(values["records"]), assumptions)
    if not report.groups:
        raise NotComparableError("no training can be projected from these records, so there is nothing to race")
    for title, lanes in _races(report):
        slowest = max(lane.value for lane in lanes)
        scale = slowest / values["seconds"]
        tell(f"{title}; a second on the screen is {duration(scale)}")
        if on_terminal():
            _run(lanes, scale)
        for place, lane in enumerate(lanes, 1):
            ahead = "" if lane.value == slowest else f", {slowest / lane.value:.3g} times as fast as the last"
            tell(f"{place}. {lane.name}: {lane.text}{ahead}")


def _races(report: Report) -> list[tuple[str, list[Lane]]]:
    """Return each network's title, and its devices in the order of arrival."""
    from bench.report import cells
    from bench.report.charts.times import headline_lanes
    from bench.text.words import plural

    races = []
    for group in report.groups:
        name, data = cells.group_name(group, report.groups), report.assumptions.dataset
        lanes = sorted(headline_lanes(group), key=lambda lane: lane.value)
        races.append((f"One training of {name}: {data.sized_title}, {plural(group.epochs, 'epoch')}", lanes))
    return races


@contextmanager
def _bars(lanes: Sequence[tuple[str, float]]) -> Iterator[Callable[[int, float, str], None]]:
    """A bar for each name, to be filled up to its figure; what is yielded sets one, with words beside it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from bench.text.outside import behind_the_door, harmless

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[said]}", markup=False),
    )
    console = Console(file=behind_the_door(sys.stdout))
    with Progress(*columns, console=console, expand=True, refresh_per_second=_FRAMES_PER_SECOND) as progress:
        tasks = [progress.add_task(harmless(name), total=whole, said="") for name, whole in lanes]
        yield lambda place, done, said: progress.update(tasks[place], completed=done, said=harmless(said))


def _run(lanes: list[Lane], scale: float) -> None:
    """Bars that fill at the devices' own paces, until the last has arrived."""
    from bench.durations import duration

    slowest, started, now = max(lane.value for lane in lanes), time.monotonic(), 0.0
    with _bars([(lane.name, lane.value) for lane in lanes]) as show:
        while now < slowest:
            time.sleep(1 / _FRAMES_PER_SECOND)
            now = (time.monotonic() - started) * scale
            for place, lane in enumerate(lanes):
                done = now >= lane.value
                show(place, min(now, lane.value), f"{'done in ' if done else ''}{duration(min(now, lane.value))}")


def _live(values: dict[str, Any]) -> int:
    """The exit code of a race that is really run."""
    from bench.cli.options import MOST_IMAGES, existing
    from bench.cli.report import on_terminal, tell
    from bench.durations import duration
    from bench.run.live import race
    from bench.run.plan import Wishes
    from bench.text.words import plural
    from bench.worker.jobs import DataSpec

    images = _LIVE_IMAGES if values["images"] is None else values["images"]
    if not 1 <= images <= MOST_IMAGES:
        raise UsageError(f"--images {images} is not possible; expected 1 to {MOST_IMAGES:,}")
    wishes = Wishes(
        backends=values["backends"],
        workload=values["workload"] or "melanoma",
        sizes=(values["size"] or "tiny",),
        precisions=(values["precision"] or "fp32",),
        data=DataSpec(path=None if values["data"] is None else existing(values["data"], "--data"), count=images),
        stall=values["stall_timeout"],
        epochs=values["epochs"],
    )
    found = race(wishes, {}, values["wait"], 1 / _FRAMES_PER_SECOND, options.progress(quiet=False))
    names = [_entrant(entrant.backend.info.name, entrant.device.id, entrant.precision) for entrant in found.entrants]
    epochs = found.entrants[0].epochs
    tell(
        f"One training of {wishes.workload} {wishes.sizes[0]}, {plural(epochs, 'epoch')}, on each of {plural(len(names), 'device')} at once, "
        f"{plural(found.cores, 'core')} of this host for each; a show, no measurement"
    )
    arrived: list[Training] = []
    with ExitStack() as stack:
        show: Callable[[int, float, str], None] | None = None
        started, said, done = time.monotonic(), ["starting"] * len(names), [0.0] * len(names)
        open_lanes = set(range(len(names)))
        for moment in found.moments:
            if show is None and on_terminal():
                show, started = stack.enter_context(_bars([(name, epochs) for name in names])), time.monotonic()
            if moment.entrant is not None:
                done[moment.entrant], said[moment.entrant] = moment.epochs, moment.text
            if moment.arrived is not None and moment.entrant is not None:
                arrived.append(moment.arrived)
                open_lanes.discard(moment.entrant)
                trained = moment.arrived.trained
                said[moment.entrant] = moment.arrived.trouble if trained is None else f"done in {duration(trained.elapsed)}"
            if show is not None:
                for place, words in enumerate(said):
                    clock = f"{duration(time.monotonic() - started)}, " if place in open_lanes else ""
                    show(place, done[place], f"{clock}{words}")
    return _arrivals(arrived)


def _entrant(backend: str, device: str, precision: str) -> str:
    name = device if device.split(":", maxsplit=1)[0] == backend else f"{backend} {device}"
    return f"{name}, {precision}"


def _arrivals(trainings: Sequence[Training]) -> int:
    from bench.cli.report import tell
    from bench.durations import duration
    from bench.record.quality import measure_name

    there = [(one, one.trained) for one in trainings if one.trained is not None]
    for place, (one, trained) in enumerate(sorted(there, key=lambda pair: pair[1].elapsed), 1):
        test = ", ".join(f"{measure_name(name)} {value:.4f}" for name, value in trained.test.items())
        tell(f"{place}. {_entrant(one.backend, one.device, one.precision)}: {duration(trained.elapsed)}, test {test}")
    for one in trainings:
        if one.trained is None:
            tell(f"{_entrant(one.backend, one.device, one.precision)}: {one.trouble}")
    return 4 if not there else 6 if len(there) < len(trainings) else 0
