"""Sentences on machines, ceilings and records."""

from __future__ import annotations

import shlex
from collections import Counter

from bench.analysis.model import Report
from bench.durations import duration, number, size
from bench.record.schema import Machine
from bench.report import cells
from bench.text.words import clean, plural, short

_FACTS = ("governor", "python", "libc")  # of Machine.facts, the ones worth a place on a page
_NAMES = {"copy": "copying"}
_UNITS = {"arithmetic": (1e12, "TFLOP/s"), "memory": (1e9, "GB/s"), "copy": (1e9, "GB/s")}


def machine_lines(report: Report) -> list[str]:
    """One sentence per machine: processor, memory, system, GPUs, software."""
    versions: dict[str, set[str]] = {}
    for case in report.measured:
        if case.key.stack.versions:
            software = f"{clean(case.key.backend, 30)}: {clean(case.key.stack.versions, 120)}"
            versions.setdefault(case.key.machine, set()).add(software)
    lines = []
    for fingerprint, machine in sorted(report.machines.items()):
        software = "; ".join(sorted(versions.get(fingerprint, ())))
        lines.append(f"{short(fingerprint)}: {_hardware(machine)}" + (f"; {software}" if software else "") + ".")
    return lines


def _hardware(machine: Machine) -> str:
    parts = [cells.machine_name(machine), clean(machine.architecture, 20), f"{size(machine.memory)} memory"]
    parts.append(clean(machine.system, 60))
    parts += [f"{name} {clean(machine.facts[name], 40)}" for name in _FACTS if name in machine.facts]
    parts += [clean(gpu.get("name", "unnamed GPU"), 60) + _driver(gpu) for gpu in machine.gpus]
    return ", ".join(part for part in parts if part)


def _driver(gpu: dict[str, str]) -> str:
    return f" (driver {clean(gpu['driver'], 30)})" if gpu.get("driver") else ""


def finding_lines(report: Report) -> list[str]:
    """Return the warnings of the health check that each run makes, with their remedies."""
    return [
        f"{short(fingerprint)}: {clean(finding.name, 60)}: {clean(finding.found, 160)}; remedy: {clean(finding.remedy, 160)}."
        for fingerprint, machine in sorted(report.machines.items())
        for finding in machine.findings
        if finding.severity == "warning"
    ]


def disturbance_lines(report: Report) -> list[str]:
    """Return one sentence per case with disturbed trials: how many there are, and what disturbed the first of them."""
    lines = []
    for case in (*report.measured, *report.to_quality):
        if case.disturbed and case.log is not None:
            what = " ".join(clean(part, 20) for part in (case.key.phase, case.key.scenario) if part)
            found = "; ".join(clean(sentence, 160) for sentence in case.disturbances[:5])
            name = f"{cells.at_machine(case, report)}, {what}, {cells.setting(case)}"
            verb, first = ("was", "") if case.disturbed == 1 else ("were", ", the first like this")
            lines.append(f"{name}: {case.disturbed:,} of {plural(case.trials, 'trial')} {verb} disturbed{first}: {found}.")
    return lines


def slowing_lines(report: Report) -> list[str]:
    """Return one sentence per case whose trials became slower to their end."""
    return [
        f"{cells.at_machine(case, report)}, {case.key.how.title}, {cells.setting(case)}: {case.slowing:,} of {plural(case.trials, 'trial')} became slower "
        f"to the end of {duration(case.steady_seconds)} of steady samples."
        for case in report.measured
        if case.slowing and case.log is not None
    ]


def ceiling_lines(report: Report) -> list[str]:
    """The fastest arithmetic, reading of memory and copying shown on each physical device."""
    lines = []
    for fingerprint, ceilings in sorted(report.ceilings.items()):
        for ceiling in ceilings:
            scale, unit = _UNITS[ceiling.kind]
            what = " ".join(part for part in (clean(ceiling.precision, 20), _NAMES.get(ceiling.kind, ceiling.kind)) if part)
            lines.append(
                f"{short(fingerprint)} {clean(ceiling.physical, 30)}, {what}: {number(ceiling.rate / scale)} {unit}, "
                f"with {clean(ceiling.shape, 60)}, measured {clean(ceiling.measured[:10], 10)}."
            )
    if lines:
        lines.append(
            "Arithmetic: products of wide matrices and convolutions. Memory: reading the weights of a wide network for one image. "
            "Copying: images into a network that only averages them, widening to fp32 included. They are kept for a machine and its "
            "software; remove the cache's folder ceilings to have them measured again."
        )
    measured = {case.key.machine for case in report.measured}
    for fingerprint in sorted(measured - set(report.ceilings)):
        lines.append(
            f"{short(fingerprint)}: no ceilings were measured, so no rate is held against what the hardware can do."
        )
    return lines


def record_lines(report: Report) -> list[str]:
    """The records used, those of one machine and command together."""
    counted = Counter((line.machine, line.command) for line in report.records)
    first = {(line.machine, line.command): line for line in reversed(report.records)}
    lines = []
    for place, count in counted.items():
        line = first[place]
        command = clean(shlex.join(line.command), 160) or "no command recorded"
        when = clean(line.created, 25)
        which = f"record {clean(line.id, 40)} of {when}" if count == 1 else f"{plural(count, 'record')} from {when} on"
        lines.append(f"{short(line.machine)}: {which}: {command}")
    return lines
