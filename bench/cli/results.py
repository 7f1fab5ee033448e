"""``bench results``: looking after many records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options
from bench.cli.report import DEFAULT_FOLDER, check_writable, put_record, read_checked, tell
from bench.errors import RecordError, UsageError

if TYPE_CHECKING:
    from bench.record.places import Place
    from bench.record.schema import Record
    from bench.record.selection import Selection

EXPORTS = (".csv", ".parquet", ".sqlite")
_RECORD = "record.json"
_OF_A_RUN = {_RECORD, "plan.json", "journal.jsonl", "logs", "compiled"}
"""What a run's folder holds; one that holds anything else is never deleted."""


_choosing = options.together(
    click.argument("places", metavar="[PLACE]...", nargs=-1),
    options.many("--machine", "machines", "M", "A fingerprint's beginning, or part of a device's name."),
    options.many("--backend", "backends", "B", "Only records that measured it (repeatable)."),
    options.many("--workload", "workloads", "W", "Only records that measured it (repeatable)."),
    options.many("--size", "sizes", "S", "Only records that measured it (repeatable)."),
    options.many("--label", "labels", "NAME=VALUE", "Only records with this label (repeatable)."),
    click.option("--since", default="", metavar="DATE", help="Made on this day or later, as 2026-01-31."),
    click.option("--until", default="", metavar="DATE", help="Made on this day or before."),
)
"""The places and the conditions that every subcommand understands."""


@click.group(name="results")
def command() -> None:
    """List, filter, export, validate, copy, prune and redact records.

    PLACE is a record, a folder of runs, or an address such as s3://bucket/team; by default bench-results.
    """


@command.command(name="list")
@_choosing
@options.style()
def list_(style: str, **values: Any) -> None:
    """A line per record, the newest last."""
    import json

    from bench.text.words import clean, processor

    lines = [_line(place, record) for place, record in _chosen(values)]
    lines.sort(key=lambda line: (line["created"], line["id"]))
    if style == "json":
        tell(json.dumps(lines, indent=1))
        return
    for line in lines:
        labels = " ".join(f"{name}={value}" for name, value in sorted(line["labels"].items()))
        text = f"{line['created'][:16]}  {line['id']}  {line['machine'][:8]} {processor(line['cpu'])}  {', '.join(line['measured'])}  {labels}"
        tell(clean(text, 300) + ("" if line["complete"] else "  (incomplete)"))
    click.echo(f"{len(lines):,} {'record' if len(lines) == 1 else 'records'}", err=True)


@command.command()
@_choosing
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help=f"A file: {', '.join(EXPORTS)}.")
def export(output: Path, **values: Any) -> None:
    """A table with a row per measured case, for pandas, DuckDB or Datasette.

    SQLite gets the tables cases, records and trials; CSV and Parquet the cases.
    """
    from bench.report.export import write_table

    if output.suffix not in EXPORTS:
        raise UsageError(f"no table is called '{output.suffix}'; expected a file that ends in {', '.join(EXPORTS)}")
    check_writable(output)
    records = [record for _, record in _chosen(values)]
    rows = write_table(records, output)
    tell(f"{output}: {rows:,} rows")


@command.command()
@_choosing
def validate(**values: Any) -> None:
    """Read every record whole: schema, digest, and whether everything in it can be true, a sentence for each thing that cannot.

    Exit code 2 where one is broken.
    """
    import sys

    from bench.record.plausible import sentences
    from bench.text.words import clean

    broken = whole = 0
    for place, found in _read(values["places"]):
        if isinstance(found, str):
            broken += 1
            tell(clean(found, 400))
        elif _selection(values).takes(found):
            wrong = sentences(found)
            for sentence in wrong:
                tell(clean(f"impossible: {place} {sentence}", 600))
            broken += bool(wrong)
            whole += not wrong
            if not wrong:
                tell(f"ok: {clean(str(place), 400)}")
    if not broken and not whole:
        raise RecordError("there is no record to validate; see what there is with: bench results list")
    sys.exit(2 if broken else 0)


@command.command()
@_choosing
@click.option("--to", "target", required=True, metavar="PLACE", help="A folder, or an address as s3://bucket/team.")
def copy(target: str, **values: Any) -> None:
    """Put records into another folder or object store, each into a folder of its own; nothing there is overwritten."""
    for _, record in _chosen(values):
        tell(str(put_record(record, target)))


@command.command()
@_choosing
@click.option("--to", "target", required=True, metavar="PLACE", help="Where the redacted copies go.")
@options.many("--keep-label", "kept", "NAME", "A label that may be published (repeatable).")
def redact(target: str, kept: tuple[str, ...], **values: Any) -> None:
    """Copies without host name, labels, free text, commits and serial numbers, sealed anew, fit for publishing."""
    from bench.record.redact import redacted

    for _, record in _chosen(values):
        tell(str(put_record(redacted(record, kept), target)))


@command.command()
@_choosing
@click.option(
    "--keep",
    type=int,
    required=True,
    metavar="N",
    help="The newest records that stay, of each machine and of what they measured.",
)
@click.option("--yes", is_flag=True, help="Really delete; without it, only say what would go.")
def prune(keep: int, yes: bool, **values: Any) -> None:
    """Delete the runs of a local folder that are older than the newest of the same machine and the same cases."""
    import shutil

    if keep < 1:
        raise UsageError(f"--keep {keep} would leave nothing; expected 1 or more")
    alike: dict[tuple[str, frozenset[str]], list[tuple[datetime, Path]]] = {}
    for place, record in _chosen(values):
        if not isinstance(place, Path):
            raise UsageError(f"{place} is in an object store; only local runs are pruned")
        file = place / _RECORD if place.is_dir() else place
        if file.name != _RECORD:
            raise UsageError(f"{place} is no run's {_RECORD}; only runs' folders are pruned")
        cases = frozenset(case.identity for case in record.cases)
        alike.setdefault((record.machine.fingerprint, cases), []).append((_moment(record.created, place), file.parent))
    going = [folder for runs in alike.values() for _, folder in sorted(runs)[:-keep]]
    for folder in sorted(going):
        strange = _strange(folder)
        if strange:
            tell(f"left: {folder}, which holds more than a run: {strange[0]}")
            continue
        if yes:
            try:
                shutil.rmtree(folder)
            except OSError as error:
                raise UsageError(f"cannot delete {folder}: {error.strerror} ({error.filename})") from None
        tell(f"{'deleted' if yes else 'would go'}: {folder}")
    if going and not yes:
        click.echo("nothing was deleted; add --yes", err=True)


def _strange(folder: Path) -> list[str]:
    """What a run's folder holds beside the run, by name: such a folder is never deleted."""
    found = [one for one in folder.iterdir() if one.name not in _OF_A_RUN]
    logs = folder / "logs"
    found += [one for one in logs.iterdir() if one.suffix != ".log" or not one.is_file()] if logs.is_dir() else []
    found += [one for one in folder.rglob(_RECORD) if one.parent != folder]
    return sorted(str(one.relative_to(folder)) for one in found)


def _moment(created: str, place: Path) -> datetime:
    try:
        found = datetime.fromisoformat(created)
    except ValueError:
        raise UsageError(f"{place} does not say when it was made, so nobody can tell what is newer") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _selection(values: dict[str, Any]) -> Selection:
    from bench.record.selection import Selection

    return Selection(
        values["machines"], values["backends"], values["workloads"], values["sizes"], options.pairs(values["labels"], "--label"),
        values["since"], values["until"],
    )  # fmt: skip


def _chosen(values: dict[str, Any]) -> list[tuple[Place, Record]]:
    """The records that are asked for, copies once. Raises RecordError where there is none."""
    from bench.text.waiting import told
    from bench.text.words import clean

    selection = _selection(values)
    found: dict[str, tuple[Place, Record]] = {}
    read = 0
    with told(lambda: f"bench: reading records, {read:,} read") as speak_up:
        for place, record in _read(values["places"]):
            read += 1
            if isinstance(record, str):
                speak_up()
                click.echo(f"bench: left out: {clean(record, 400)}", err=True)
            elif selection.takes(record):
                known, first = found.setdefault(record.id, (place, record))
                if first != record:
                    raise RecordError(
                        f"{known} and {place} are different records with one identifier, {record.id:.60}; name one of them alone"
                    )
    if not found:
        raise RecordError("no record is like that; see what there is with: bench results list")
    return list(found.values())


def _read(places: tuple[str, ...]) -> Iterator[tuple[Place, Record | str]]:
    """Every record with its place; of one that cannot be read, why."""
    from bench.record.places import place_of, records_at

    for word in places or (DEFAULT_FOLDER,):
        place = place_of(word)
        found = records_at(place)
        if not found and isinstance(place, Path) and not place.exists():
            raise RecordError(f"there is no record at {place}; expected a record, a folder of runs, or an address")
        for one in found:
            try:
                yield one, read_checked(one)
            except RecordError as error:
                yield one, str(error)


def _line(place: Place, record: Record) -> dict[str, Any]:
    measured = sorted(
        {f"{case.backend} {case.workload}-{case.size}{' to quality' if case.how.to_target else ''}" for case in record.cases}
    )
    if record.forecasts:
        measured.append(f"{len(record.forecasts):,} forecasts")
    return {
        "place": str(place), "id": record.id, "created": record.created, "machine": record.machine.fingerprint,
        "cpu": record.machine.cpu, "measured": measured, "labels": record.labels, "complete": record.complete,
    }  # fmt: skip
