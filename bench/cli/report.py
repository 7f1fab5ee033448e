"""``bench report``: days versus hours, from records alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options
from bench.errors import RecordError, UsageError
from bench.text.formats import FORMATS

if TYPE_CHECKING:
    from bench.analysis.model import Report
    from bench.projection.assumptions import Assumptions
    from bench.record.places import Place
    from bench.record.schema import Record

PICTURES = ("png", "svg")
DEFAULT_FOLDER = "bench-results"
JOURNAL = "journal.jsonl"
_BY_SUFFIX = {".md": "markdown", ".html": "html", ".png": "png", ".svg": "svg", ".csv": "csv", ".json": "json"}


@click.command(name="report")
@click.argument("records", metavar="[RECORD]...", nargs=-1)
@click.option(
    "--format",
    "format_name",
    metavar=f"[{'|'.join(FORMATS)}|NAME]",
    help="NAME: a plugin's reporter, as bench list names it. Default: by --output's suffix, else terminal.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of standard output.")
@click.option("--chart", help="The picture that png and svg show; 'list' names all there are.  [default: headline]")
@click.option("--no-records", is_flag=True, help="With html: do not put the records into the page.")
@click.option("--pictures", is_flag=True, help="With markdown to a file: pictures beside it, and shown in it.")
@click.option(
    "--dataset", default="ham10000", show_default=True, help="ham10000, isic2020, slice3d (or isic2024) or archive."
)
@click.option("--images", type=int, help="Number of images, instead of the data set's.")
@click.option("--megapixels", type=float, help="Mean megapixels per original image, instead of the data set's.")
@click.option("--epochs", type=int, help="Epochs of one training, instead of the workload's.")
@click.option("--tuning-runs", type=int, default=50, show_default=True, help="Trainings in a tuning loop.")
@click.option("--budget-hours", type=float, default=4.0, show_default=True, help="Hours that an ensemble has to fit into.")
@click.option("--retrain-days", type=float, default=7.0, show_default=True, help="Days from one retraining to the next.")
@click.option("--decode-cores", type=int, help="Host cores that decode for an accelerator.  [default: as measured]")
@click.option(
    "--decode",
    type=click.Choice(["once", "every-epoch"]),
    help="When images are decoded.  [default: once where all of them fit, decoded, into the host's memory or disk]",
)
@click.option("--devices", type=int, default=1, show_default=True, help="Devices of each kind that train together.")
@click.option("--efficiency", type=float, help="Their speed over so many times that of one, as 0.9; never assumed.")
@options.many(
    "--price",
    "prices",
    "DEVICE=AMOUNT",
    "Of a device-hour: cuda:0=2.90, or 'cuda:0=2.90 EUR'; DEVICE may be BACKEND:DEVICE, as jax:cpu (repeatable).",
)
@click.option(
    "--prices", "price_file", type=click.Path(path_type=Path), help="A TOML file of prices, with currency, date and source."
)
@click.option("--reference", help="Backend or device that speed-ups are held against.  [default: the fastest x86 host]")
@click.option(
    "--group-by", default="", metavar="LABEL", help="Also a table per case with a row for each value of this label."
)
@click.option("--workload", help="Only this workload.")
@click.option("--size", help="Only this size.")
@options.stall
def command(
    records: tuple[str, ...],
    format_name: str | None,
    output: Path | None,
    chart: str | None,
    no_records: bool,
    pictures: bool,
    price_file: Path | None,
    group_by: str,
    stall_timeout: float,
    passed: tuple[str, ...],
    **assumed: Any,
) -> None:
    """Print days versus hours from one or many records.

    RECORD is a record, a run's folder, a folder of runs, or an address of any of these, as s3://bucket/team; by default bench-results. Nothing is measured and no
    accelerator is needed. A record that cannot be read is refused when it is named, and left out with a warning when it
    was found in a folder.
    """
    from bench.analysis.build import build
    from bench.datasets import adapted, find_dataset
    from bench.projection.assumptions import Assumptions
    from bench.projection.prices import parse_price, read_prices
    from bench.report.charts.pictures import find_chart, picture
    from bench.report.formats import render
    from bench.run.limits import checked_stall

    checked_stall(stall_timeout)
    for option, words in (
        ("--reference", assumed["reference"]),
        ("--group-by", group_by if options.given("group_by") else None),
    ):
        if words == "":
            raise UsageError(f"{option} is empty; expected a name")
    if assumed["efficiency"] is not None and assumed["devices"] == 1:
        raise UsageError("--efficiency is that of several devices together; say how many with --devices")
    dataset = adapted(find_dataset(assumed.pop("dataset")), assumed.pop("images"), assumed.pop("megapixels"))
    filed = () if price_file is None else read_prices(price_file)
    own = [parse_price(text) for text in assumed.pop("prices")]
    twice = [price.device for place, price in enumerate(own) if price.device in [one.device for one in own[:place]]]
    if twice:
        raise UsageError(f"--price {twice[0]} is given twice")
    prices = *filed, *own
    assumptions = Assumptions(dataset=dataset, prices=prices, **assumed)
    suffix = "" if output is None else output.suffix.lower()
    if format_name is None and suffix not in {"", ".txt", *_BY_SUFFIX}:
        raise UsageError(f"no format goes by '{suffix}'; name one with --format: {', '.join(FORMATS)}")
    chosen = _BY_SUFFIX.get(suffix, "terminal") if format_name is None else format_name
    if chart not in {None, "list"} and chosen not in PICTURES:
        raise UsageError(f"--chart goes with --format png and svg, not with {chosen}")
    if no_records and chosen != "html":
        raise UsageError(f"--no-records goes with --format html, not with {chosen}")
    if pictures and (chosen != "markdown" or output is None):
        raise UsageError("--pictures goes with --format markdown and --output, beside which the pictures are put")
    if output is not None:
        check_writable(output)
    if sys.stdout is None and output is None:
        raise UsageError("standard output is closed; name a file with --output")
    if chosen in PICTURES and output is None and chart != "list" and on_terminal():
        raise UsageError(f"{chosen} is no text for a terminal; name a file with --output")
    # Describing the plugins takes seconds: only for what is not built in.
    reporter = None if chosen in FORMATS else _reporter(chosen, stall_timeout)
    with _without_collecting():
        if chosen == "html" and chart != "list":
            write(_page(records, assumptions, group_by, not no_records), output)
            return
        report = build(read_named(records), assumptions, group_by)
        if chart == "list":
            write(_chart_list(report), output)
        elif chosen in PICTURES:
            write(picture(find_chart(report, chart or "headline"), chosen), output)
        elif pictures and output is not None:
            _write_with_pictures(report, output)
        elif reporter is not None:
            write(reporter(render(report, "json")), output)
        else:
            write(render(report, chosen), output)
            _name_left_out(report, chosen)


def _reporter(name: str, stall: float) -> Callable[[str], str]:
    """Return what turns a JSON report into the text of a plugin's reporter. Raises UsageError where none has that name."""
    from bench.run.discovery import discover
    from bench.run.limits import checked_stall
    from bench.run.rendering import render_with

    found = discover(probe=(), stall=checked_stall(stall)).reporter(name)
    return lambda document: render_with(found, document, stall)


def _name_left_out(report: Report, chosen: str) -> None:
    """Name on standard error the rates that a format without marks does not hold."""
    if chosen == "pytest-benchmark":
        from bench.report.pytest_benchmark import left_out

        for case in left_out(report):
            click.echo(f"bench: left out: {case}", err=True)


def _chart_list(report: Report) -> str:
    from bench.report.charts.pictures import charts

    return "".join(f"{chart.name}: {chart.title}\n" for chart in charts(report))


def _write_with_pictures(report: Report, output: Path) -> None:
    """Markdown, and every picture that it shows as an SVG file beside it."""
    from bench.files import is_special
    from bench.report.charts.pictures import charts, picture
    from bench.report.formats import markdown_with_pictures

    check_writable(output)
    if is_special(output):
        raise UsageError(f"{output} is no file, so there is no place beside it for pictures")
    found = [chart for chart in charts(report) if not chart.name.startswith("warm-up")]
    files = {chart.name: output.with_name(f"{output.stem}-{chart.name}.svg") for chart in found}
    for chart in found:
        write(picture(chart, "svg"), files[chart.name])
    write(markdown_with_pictures(report, [(chart, files[chart.name].name) for chart in found]), output)


def _page(records: Sequence[str], assumptions: Assumptions, group_by: str, attach: bool) -> str:
    """The page; with ``attach`` as many of the records in it as it can carry."""
    from bench.analysis.build import build
    from bench.report.page.page import Attachments, HtmlReporter

    if not attach:
        return HtmlReporter().render(build(read_named(records), assumptions, group_by))
    attachments = Attachments()
    return HtmlReporter(attachments).render(build(attachments.passing(read_named(records)), assumptions, group_by))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Switch garbage collection off: reports hold no cycles, and collecting takes longer than reading millions of samples."""
    import gc

    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def read_named(named: Sequence[str]) -> Iterator[Record]:
    """Every record at these places, one at a time. Raises RecordError."""
    from bench.record.places import place_of, records_at
    from bench.text.waiting import told

    read = 0
    if not named and not Path(DEFAULT_FOLDER).exists():
        raise RecordError(f"no records: there is no folder {DEFAULT_FOLDER} here; measure first with: bench run")
    with told(lambda: f"bench: reading records, {read:,} read") as speak_up:
        for word in named or (DEFAULT_FOLDER,):
            place = place_of(word)
            found = records_at(place)
            alone = found == [place] or not found
            for record in [read_checked(place)] if alone else _scanned(place, found, speak_up):
                read += 1
                yield record


def _scanned(folder: Place, found: Sequence[Place], speak_up: Callable[[], None]) -> Iterator[Record]:
    """The records that can be read; the others, and runs without one, are named on standard error after ``speak_up``."""
    from bench.text.words import clean

    unfinished: list[Place] = []
    if isinstance(folder, Path):
        unfinished += [path.parent for path in sorted(folder.rglob(JOURNAL)) if not (path.parent / "record.json").exists()]
    read = 0
    for path in [*found, *unfinished]:
        try:
            record = read_checked(path)
        except RecordError as error:
            speak_up()
            click.echo(f"bench: left out: {clean(str(error), 400)}", err=True)
        else:
            read += 1
            yield record
    if read == 0:
        raise RecordError(f"no record under {folder} can be read; found {len(found)}")


def read_checked(place: Place) -> Record:
    """Return the record at a place. Raises RecordError where it cannot be read or contradicts itself."""
    from bench.record.places import read_place
    from bench.record.plausible import check_record
    from bench.text.waiting import told

    with told(lambda: f"bench: reading {place}"):
        record = read_place(place)
    check_record(record)
    return record


def put_record(record: Record, text: str) -> Place:
    """Put a record at the place that ``text`` names, and return where it lies there. Raises RecordError."""
    from bench.record.places import place_of, write_place
    from bench.text.waiting import told

    place = place_of(text)
    with told(lambda: f"bench: writing to {place}"):
        return write_place(record, place)


def check_writable(output: Path) -> None:
    """Raises UsageError where no file can be put, or where a record or a run would be lost."""
    from bench.files import is_special

    if output.is_dir():
        raise UsageError(f"cannot write {output}: it is a folder; expected a file's name")
    if is_special(output):
        return
    if _is_of_a_run(output):
        raise UsageError(
            f"cannot write {output}: it holds what a run measured, which is never overwritten; choose another name"
        )
    folder = output.resolve().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        there = "is not writable" if folder.is_dir() else "is not there"
        raise UsageError(f"cannot write {output}: its folder {there}")


def _is_of_a_run(output: Path) -> bool:
    if not output.is_file():
        return False
    if output.name in {"plan.json", JOURNAL}:
        return True
    with suppress(OSError), output.open("rb") as file:
        return file.read(40).startswith(b'{"format":"accelbench record"')
    return False


def on_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def tell(text: str) -> None:
    """Print a line, whatever the terminal's encoding lacks."""
    write(f"{text}\n", None)


def write(content: str | bytes, output: Path | None) -> None:
    """Print text, or put it into a file that is there either whole or not at all. Raises UsageError.

    Where standard output is closed, nothing is printed: whoever closed it wants nothing, and a verdict's exit code still counts.
    """
    from bench.files import replacing

    if output is None:
        if sys.stdout is None:
            return
        if isinstance(content, bytes):
            sys.stdout.buffer.write(content)
            return
        encoding = sys.stdout.encoding or "utf-8"
        click.echo(content.encode(encoding, "replace").decode(encoding), nl=False)
        return
    check_writable(output)
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    with replacing(output) as place:
        place.write_bytes(data)
