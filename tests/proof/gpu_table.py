"""The table of an acceptance run: a row for each question, from the records in the archives of its steps."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import RecordError
from bench.record.files import read_record

ROOT = Path(__file__).parents[2]

Case = Mapping[str, Any]
"""A measured case of ``bench report --format json``."""

UNITS = {"arithmetic": "FLOP/s", "memory": "bytes/s", "copy": "bytes/s"}


@dataclass(frozen=True)
class Row:
    """One question: which cases answer it, and what was wanted."""

    what: str
    chosen: Mapping[str, str]  # fields of the report's measured cases
    wanted: str = ""
    figure: str = "images_per_second"


def table(out: Path, wanted: Sequence[Row]) -> tuple[list[str], list[str], list[str]]:
    """Return Markdown lines, the rows that have no figure, and those whose figure is unproven or too high to be true.

    Each row holds the largest proven figure of its cases, or the largest at all where none was proven.
    """
    cases, ceilings = _measured(out)
    lines = ["", "| what | figure | 95 % interval | trials | setting | wanted |", "|---|---|---|---|---|---|"]
    empty, marked = [], []
    for row in wanted:
        best = _best(cases, row)
        if best is None:
            empty.append(row.what)
            lines.append(f"| {row.what} | none | | | | {row.wanted} |")
            continue
        marked += [] if best["valid"] else [row.what]
        lines.append(_line(row, best))
    if not ceilings:
        empty.append("ceilings")
    lines += [f"| ceiling of {kind} | {rate:.3g} {unit} | | | {shape} | |" for kind, rate, unit, shape in ceilings]
    return lines, empty, marked


def _best(cases: Sequence[Case], row: Row) -> Case | None:
    found = [case for case in cases if all(str(case.get(name)) == value for name, value in row.chosen.items())]
    known = [case for case in found if case.get(row.figure)]
    return max(known, key=lambda case: (bool(case["valid"]), float(case[row.figure]["value"])), default=None)


def _line(row: Row, case: Case) -> str:
    figure = case[row.figure]
    interval = "" if figure.get("low") is None else f"{_number(figure['low'])} to {_number(figure['high'])}"
    share = case.get("share_of_ceiling")
    proven = case["checks_passed"] and not case["checks_failed"]
    parts = [
        _number(figure["value"]),
        "" if share is None else f"{100 * share:.0f} % of the ceiling",
        "" if case["valid"] else "above what physics allows" if proven else "unproven",
    ]
    much = f"{case['host_cores']} cores" if row.figure == "megapixels_per_second" else f"batch {case['batch_size']}"
    setting = ", ".join(filter(None, [much, case["options"]]))
    return f"| {row.what} | {', '.join(filter(None, parts))} | {interval} | {case['trials']} | {setting} | {row.wanted} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _measured(out: Path) -> tuple[list[Case], list[tuple[str, float, str, str]]]:
    """The report's measured cases and ceilings, from every record in the archives of ``out``."""
    with tempfile.TemporaryDirectory(prefix="accelbench-table-") as folder:
        for number, archive in enumerate(sorted(out.glob("*.tar.gz"))):
            _unpack(archive, Path(folder) / str(number))
        records = sorted(map(str, Path(folder).glob("*/*/runs/*/record.json")))
        if not records:
            return [], []
        words = [sys.executable, "-m", "bench", "report", *records, "--format", "json"]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=environment(), check=False)
    if done.returncode:
        print(f"bench report: {done.stderr.strip()}", file=sys.stderr)
        return [], []
    report = json.loads(done.stdout)
    ceilings = [
        (f"{found['kind']}, {found['precision']}", float(found["rate"]), UNITS[found["kind"]], found["shape"])
        for machine in report["ceilings"].values()
        for found in machine
        if math.isfinite(found["rate"])
    ]
    return report["measured"], ceilings


def _unpack(archive: Path, folder: Path) -> None:
    """The records of one archive; of one that is none, or damaged, nothing, and that is said."""
    try:
        with tarfile.open(archive) as packed:
            records = [one for one in packed.getmembers() if one.name.endswith("/record.json") and one.isfile()]
            packed.extractall(folder, members=records, filter="data")
        for record in folder.glob("*/runs/*/record.json"):
            read_record(record)
    except (tarfile.TarError, EOFError, OSError, RecordError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        why = (str(error).splitlines() or [type(error).__name__])[0]
        print(f"{archive.name} is left out: it is no whole archive of a step ({why[:80]})", file=sys.stderr)


def environment() -> dict[str, str]:
    """The variables with which commands are run: they find this checkout."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))}
