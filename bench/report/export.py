"""Records as tables for other tools: a row per measured case, and in SQLite also per record and per trial."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.analysis.build import build
from bench.analysis.model import CaseKey
from bench.analysis.pool import keys_of
from bench.errors import NotComparableError, UsageError
from bench.files import replacing
from bench.record.figures import device_memory, host_memory, samples, standing
from bench.record.schema import Record
from bench.report.data import flat_rows
from bench.text.words import spreadsheet


def write_table(records: Sequence[Record], output: Path) -> int:
    """Write the table that the suffix asks for, whole or not at all; return how many rows it has. Raises UsageError."""
    import pandas

    try:
        report = build(records)
        cases, keys = pandas.DataFrame(flat_rows(report)), [case.key for case in report.measured]
    except NotComparableError:
        cases, keys = pandas.DataFrame(), []
    if output.exists() and not output.is_file():
        raise UsageError(f"cannot write {output}: it is no file")
    try:
        with replacing(output) as temporary:
            if output.suffix == ".csv":
                cases.map(lambda value: spreadsheet(value) if isinstance(value, str) else value).to_csv(
                    temporary, index=False, lineterminator="\n"
                )
            elif output.suffix == ".parquet":
                _parquet(cases, temporary)
            else:
                _sqlite(cases, keys, records, temporary)
    except (OverflowError, sqlite3.Error) as error:
        raise UsageError(f"cannot write {output}: {error}; a .csv holds every number") from None
    return len(cases)


def _parquet(cases: Any, path: Path) -> None:
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise UsageError("Parquet needs pyarrow: pip install 'accelbench[parquet]', or export .sqlite or .csv")
    cases.to_parquet(path, index=False)


def _sqlite(cases: Any, keys: Sequence[CaseKey], records: Sequence[Record], path: Path) -> None:
    """Three tables that join: ``trials.case_id`` is ``cases.case_id``, and ``trials.record`` is ``records.id``.

    A trial has no ``case_id`` where its case has no row among the cases, as trainings to a target have none.
    """
    import pandas

    numbers = {key: number for number, key in enumerate(keys, 1)}
    cases = cases.assign(case_id=range(1, len(cases) + 1))
    cases = cases[["case_id", *(name for name in cases.columns if name != "case_id")]]
    ids = {record.id: [numbers.get(key) for key, _, _ in keys_of(record)] for record in records}
    runs = [
        {
            "id": record.id, "created": record.created, "finished": record.finished, "machine": record.machine.fingerprint,
            "cpu": record.machine.cpu, "cores": record.machine.cores, "command": json.dumps(record.command), "labels": json.dumps(record.labels),
            "complete": record.complete, "bench_version": record.bench.get("version", ""), "commit": record.bench.get("commit", ""),
        }
        for record in records
    ]  # fmt: skip
    trials = [
        {
            "record": record.id, "case_id": ids[record.id][trial.case], "case": record.cases[trial.case].label, "number": trial.number, "role": trial.role, "status": trial.status, "standing": standing(trial),
            "started": trial.started, "wall_seconds": trial.wall, "reason": trial.reason, "images_per_sample": trial.images_per_sample,
            "warmup": trial.warmup, "samples_seconds": json.dumps(samples(trial)), "host_memory_bytes": host_memory(trial),
            "device_memory_bytes": device_memory(trial), "checks_failed": "; ".join(check.name for check in trial.checks if not check.passed),
        }
        for record in records for trial in record.trials
    ]  # fmt: skip
    with closing(sqlite3.connect(path)) as base, base:
        timed = pandas.DataFrame(trials)
        if trials:
            timed["case_id"] = timed["case_id"].astype("Int64")  # whole numbers also where some are missing
        for name, table in (("cases", cases), ("records", pandas.DataFrame(runs)), ("trials", timed)):
            if len(table.columns):
                table.to_sql(name, base, index=False)
