"""The report as JSON that ``pytest-benchmark compare`` and the tools that read its files accept.

A benchmark is a case, a round is a trial, and its time is that process's seconds per image (per megapixel for decoding). Those tools
read the statistics alone and would show an unproven rate as any other, so a file holds only rates that may stand in a speed-up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from bench.analysis.model import ABOVE_CEILING, UNPROVEN, MeasuredCase, Report
from bench.errors import UsageError
from bench.record.schema import Machine
from bench.report import cells
from bench.report.proofs import proof
from bench.text.words import clean, plural

VERSION = "5.0.0"
"""Of pytest-benchmark's file format."""


class PytestBenchmarkReporter:
    """Writes a file of one machine, as pytest-benchmark does."""

    name = "pytest-benchmark"

    def render(self, report: Report) -> str:
        """The JSON text, without the cases of ``left_out``.

        Raises UsageError where the records come from several machines, hold no rates, or none that may be exported.
        """
        machines = {case.key.machine for case in report.measured}
        if len(machines) > 1:
            raise UsageError(
                f"the records come from {plural(len(machines), 'machine')}, and a pytest-benchmark file holds one; name the records of one"
            )
        if not machines:
            raise UsageError(
                "the records hold no rates, which a pytest-benchmark file is made of; other formats show what they hold"
            )
        exported = [case for case in report.measured if case.valid and case.log_times]
        if not exported:
            raise UsageError(
                "none of the rates in the records may be exported: "
                f"{'; '.join(left_out(report)) or 'they have no figure'}; tools that read pytest-benchmark files know no marks, so use another format"
            )
        fingerprint = next(iter(machines))
        newest = max(report.records, key=lambda line: line.created)
        data = {
            "machine_info": _machine(report.machines[fingerprint], exported),
            "commit_info": {
                "id": newest.commit or "unknown", "time": newest.created, "author_time": newest.created,
                "dirty": False, "project": "accelbench", "branch": "unknown",
            },
            "benchmarks": [_benchmark(case) for case in exported],
            "datetime": newest.created,
            "version": VERSION,
        }  # fmt: skip
        return msgspec.json.format(msgspec.json.encode(data), indent=1).decode() + "\n"


def left_out(report: Report) -> list[str]:
    """Return a name and a reason for each case whose rate no file of this format holds: it is unproven or above its ceiling."""
    return [
        f"{_name(case)}: {', '.join(mark for mark in case.marks if mark in (UNPROVEN, ABOVE_CEILING)) or case.no_figure}"
        for case in report.measured
        if case.log_times and not case.valid
    ]


def _machine(machine: Machine, cases: Sequence[MeasuredCase]) -> dict[str, Any]:
    devices = {cells.place(case): clean(case.key.stack.versions) for case in cases if case.device is not None}
    return {
        "node": machine.host,
        "processor": machine.cpu,
        "machine": machine.architecture,
        "python_version": machine.facts.get("python", ""),
        "system": machine.system.split(" ")[0],
        "release": machine.system.split(" ")[-1],
        "cpu": {"brand_raw": machine.cpu, "count": machine.cores, "arch": machine.architecture},
        "accelbench": {
            "fingerprint": machine.fingerprint,
            "devices": devices,
            "gpus": [gpu.get("name", "") for gpu in machine.gpus],
        },
    }


def _name(case: MeasuredCase) -> str:
    name = " ".join(
        part for part in (cells.place(case), case.key.workload, case.key.size, case.key.phase, case.key.scenario) if part
    )
    return clean(f"{name} {cells.setting(case)}")


def _benchmark(case: MeasuredCase) -> dict[str, Any]:
    name = _name(case)
    return {
        "group": clean(f"{case.key.workload} {case.key.size} {case.key.phase}"),
        "name": name,
        "fullname": f"accelbench::{name}",
        "params": None,
        "param": None,
        "extra_info": {"marks": list(case.marks), "valid": case.valid, "proof": proof(case), "unit": f"s/{case.key.how.unit.name}"},
        "options": {
            "disable_gc": False, "timer": "perf_counter", "min_rounds": len(case.log_times), "max_time": 0.0, "min_time": 0.0,
            "warmup": False,
        },
        "stats": _stats(np.exp(np.sort(np.asarray(case.log_times)))),
    }  # fmt: skip


def _stats(times: np.ndarray) -> dict[str, Any]:
    """What pytest-benchmark computes of its rounds, under its names."""
    q1, median, q3 = (float(value) for value in np.percentile(times, (25, 50, 75)))
    iqr = q3 - q1
    mean, deviation = float(times.mean()), float(times.std(ddof=1)) if len(times) > 1 else 0.0
    inside = times[(times >= q1 - 1.5 * iqr) & (times <= q3 + 1.5 * iqr)]
    beyond = int(((times < q1 - 1.5 * iqr) | (times > q3 + 1.5 * iqr)).sum())
    far = int((np.abs(times - mean) > deviation).sum())
    return {
        "min": float(times[0]), "max": float(times[-1]), "mean": mean, "stddev": deviation, "rounds": len(times), "median": median,
        "iqr": iqr, "q1": q1, "q3": q3, "iqr_outliers": beyond, "stddev_outliers": far, "outliers": f"{far};{beyond}",
        "ld15iqr": float(inside.min()), "hd15iqr": float(inside.max()), "ops": 1 / mean if mean else math.inf,
        "total": float(times.sum()), "data": times.tolist(), "iterations": 1,
    }  # fmt: skip
