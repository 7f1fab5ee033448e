"""How often checks of unchanged code say that something changed: the false-alarm rate of a machine, from its own checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench.comparison.document import DOCUMENT
from bench.errors import RecordError
from bench.record.damage import DAMAGE
from bench.statistics.pairs import ERROR_LEVEL, Verdict
from bench.statistics.proportions import upper_limit
from bench.text.sections import Section, Table
from bench.text.words import plural

LARGEST_FILE = 10_000_000
"""Bytes; no check writes a larger file."""


class _Kind(msgspec.Struct, frozen=True):
    """What any JSON file says of its kind."""

    format: str = ""


class Check(msgspec.Struct, frozen=True):
    """What is counted of a check's document."""

    verdict: Verdict | None  # None where it compared no case
    cases: list[dict[str, Any]]


@dataclass(frozen=True)
class Share:
    """How many of the checks had one verdict."""

    checks: int
    fraction: float
    at_most: float  # the upper limit of the rate behind it, one-sided 97.5 %


@dataclass(frozen=True)
class Alarms:
    """The verdicts of checks of unchanged code."""

    checks: int
    verdicts: Mapping[str, Share]  # by verdict, each that there is
    cases: int  # in all checks together


def count_alarms(places: Sequence[Path]) -> Alarms:
    """Return the verdicts of all checks whose JSON lies at ``places``, which are files or folders.

    A check that compared no case counts as *not comparable*. Raises RecordError for a place without any, and for a file that is none.
    """
    documents = [_read(file) for place in places for file in _files(place)]
    found = [document for document in documents if document is not None]
    if not found:
        raise RecordError(
            f"there is no check under {', '.join(map(str, places))}; expected files that 'bench check --json FILE' wrote"
        )
    verdicts = [document.verdict or Verdict.NOT_COMPARABLE for document in found]
    shares = {str(verdict): _share(verdicts.count(verdict), len(found)) for verdict in Verdict}
    return Alarms(len(found), shares, sum(len(document.cases) for document in found))


def _share(count: int, checks: int) -> Share:
    return Share(count, count / checks, upper_limit(count, checks))


def _files(place: Path) -> Iterator[Path]:
    """Yield the regular files there; a pipe would never be read to its end."""
    if not place.exists():
        raise RecordError(
            f"there is nothing at {place}; expected a file that 'bench check --json FILE' wrote, or a folder of them"
        )
    if place.is_dir():
        yield from sorted(file for file in place.rglob("*.json") if file.is_file())
    elif place.is_file():
        yield place
    else:
        raise RecordError(f"{place} is no file; expected one that 'bench check --json FILE' wrote, or a folder of them")


def _read(file: Path) -> Check | None:
    """Return what a check wrote into a file; None for another file. Raises RecordError where it cannot be read."""
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise RecordError(f"cannot read {file}: {error.strerror}") from None
    return None if len(content) > LARGEST_FILE else decode_check(content, str(file))


def decode_check(content: bytes, file: str) -> Check | None:
    """Return the check in a file's content; None for JSON of another kind, as records are. Raises RecordError naming the file."""
    try:
        if msgspec.json.decode(content, type=_Kind).format != DOCUMENT:
            return None
    except msgspec.ValidationError:
        return None
    except DAMAGE as error:
        raise RecordError(f"{file} is no JSON: {error}") from None
    try:
        return msgspec.json.decode(content, type=Check)
    except DAMAGE as error:
        raise RecordError(f"{file} is no comparison that this release knows: {error}") from None


def sections(alarms: Alarms) -> list[Section]:
    """The counts as a table, and what they should be."""
    rows = tuple(
        (verdict, f"{share.checks}", f"{100 * share.fraction:.1f} %", f"{100 * share.at_most:.1f} %")
        for verdict, share in alarms.verdicts.items()
    )
    table = Table(("verdict", "checks", "share", "at most"), rows, frozenset({1, 2, 3}))
    lines = (
        f"{plural(alarms.checks, 'check')} of unchanged code, {plural(alarms.cases, 'case')}. Regressed and improved are false alarms; "
        f"the method allows either in {100 * ERROR_LEVEL:g} % of checks.",
        "At most: the upper limit of the rate behind the share, one-sided 97.5 % (Clopper and Pearson).",
    )
    return [Section("Alarms on unchanged code", table, lines)]
