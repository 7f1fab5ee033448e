"""What stands under the table of days versus hours: both sides of every speed-up by name, and whatever is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.analysis.model import ABOVE_CEILING, UNPROVEN, Group, MeasuredCase, Report, Row, Setting, SpeedUp, Stack
from bench.analysis.rows import X86
from bench.projection.assumptions import Assumptions
from bench.report import cells
from bench.text.words import clean, short


def row_suffixes(group: Group) -> list[str]:
    """Per row, what tells its device from others of that name: machine, versions, environment, harness."""
    stacks: dict[tuple[str, str, tuple[str, ...]], set[Stack]] = {}
    for row in group.rows:
        stacks.setdefault(_device(row), set()).add(row.best.train.key.stack)
    machines = len({row.machine.fingerprint for row in group.rows})
    suffixes = []
    for row in group.rows:
        parts = [short(row.machine.fingerprint)] if machines > 1 else []
        stack, twins = row.best.train.key.stack, stacks[_device(row)]
        parts += [_differing(stack[place], [twin[place] for twin in twins]) for place in range(len(Stack._fields))]
        text = ", ".join(part for part in parts if part)
        suffixes.append(f" [{text}]" if text else "")
    return suffixes


def row_labels(group: Group) -> list[str]:
    """Per row, its device as the tables call it."""
    return [label for _, label in labelled(group)]


def labelled(group: Group) -> list[tuple[Row, str]]:
    """The rows, each with its device as the tables call it."""
    suffixes = row_suffixes(group)
    return [(row, cells.device(row.best.train, row.machine) + suffixes[at]) for at, row in enumerate(group.rows)]


def _differing(own: str, all_of_them: Sequence[str]) -> str:
    """Of ``torch 2.13.0, cuda 13.0`` the parts that not every row of the device has."""
    if len(set(all_of_them)) == 1:
        return ""
    common = set.intersection(*(set(text.split(", ")) for text in all_of_them))
    return clean(", ".join(part for part in own.split(", ") if part not in common), 80) or "without"


def _device(row: Row) -> tuple[str, str, tuple[str, ...]]:
    key = row.best.train.key
    return key.machine, key.backend, key.devices


def row_notes(group: Group, assumptions: Assumptions) -> Iterable[str]:
    """One sentence per speed-up and per missing measurement."""
    if group.reference is None:
        yield "No CPU reference: the records hold no valid training on a host's processor, so there are no speed-ups."
    elif group.reference.machine.architecture.lower() not in X86:
        yield f"The reference is no x86 processor but {clean(group.reference.machine.architecture, 20) or 'an unnamed one'}."
    for row, label in labelled(group):
        extrapolated = assumptions.decode_cores is not None and not row.best.train.shares_cores
        yield from missing(row, label, extrapolated)
    suffixes = row_suffixes(group)
    for row, suffix in zip(group.rows, suffixes, strict=True):
        same = _sides(row, row.same, None if row.same is None else row.same.same, group, suffix, suffixes[0])
        best = _sides(row, row.best, row.best.best, group, suffix, suffixes[0])
        if same and same == best:
            yield f"same and best: {same}"
        else:
            yield from (f"{name}: {text}" for name, text in (("same", same), ("best", best)) if text)


def _sides(
    row: Row, setting: Setting | None, speed_up: SpeedUp | None, group: Group, suffix: str, reference_suffix: str
) -> str:
    """Both sides of a speed-up; the reference is the group's first row."""
    if setting is None or speed_up is None or group.reference is None:
        return ""
    candidate = cells.side(setting.train, row.machine, suffix)
    reference = cells.side(speed_up.reference, group.reference.machine, reference_suffix)
    left_out = f"; * without {' and '.join(speed_up.left_out)}, not measured on both" if speed_up.left_out else ""
    return f"{candidate}, against {reference}{left_out}."


WITHIN = "Intervals hold within this run: they are over trials of one record. Other runs of the same code differ by more than its trials do."


def interval_line(group: Group) -> str:
    """What the intervals of a group's table are over; nothing where no case has one."""
    cases = [
        case
        for row in group.rows
        for setting in row.settings
        for case in (setting.train, setting.infer, setting.decode)
        if case is not None and case.log is not None and case.log.standard_error is not None
    ]
    counts = {case.records for case in cases if case.log is not None and case.log.over == "records"}
    within = any(case.log is not None and case.log.over == "trials" for case in cases)
    if not counts:
        return WITHIN if within else ""
    span = f"{min(counts):,}" if len(counts) == 1 else f"{min(counts):,} to {max(counts):,}"
    over = f"Intervals are over {span} records, each with the mean of its trials as one value"
    return f"{over}; those of cases with one record hold within its run." if within else f"{over}."


def not_projected(report: Report) -> list[str]:
    """Trainings that were measured but stand in no table of days versus hours, and why."""
    projected = {setting.train.key for group in report.groups for row in group.rows for setting in row.settings}
    lines = []
    for case in report.measured:
        if case.key.how.projected == "training" and case.key not in projected:
            machine = report.machines[case.key.machine]
            lines.append(f"{cells.side(case, machine)}, {clean(case.key.size, 40)}: {_why(case)}.")
    return lines


def _why(case: MeasuredCase) -> str:
    if case.log is None:
        return clean(case.no_figure, 120)
    if not case.valid:
        return ", ".join(mark for mark in case.marks if mark in {UNPROVEN, ABOVE_CEILING})
    if case.device is None:
        return "the record does not describe its device"
    return "the record does not say how many epochs a training has; give --epochs"


def missing(row: Row, label: str, extrapolated: bool) -> Iterable[str]:
    """What was not measured for a device; ``extrapolated`` says that decoding is, to as many cores as were asked for."""
    best = row.best
    if best.decode is None:
        yield f"{label}: decoding was not measured on this machine and is left out; real trainings take longer."
    elif best.decode.key.cores < row.machine.cores and not extrapolated:
        cores = f"{best.decode.key.cores} of {row.machine.cores} cores"
        yield f"{label}: decoding was measured on {cores} and is not extrapolated."
    if best.infer is None:
        precision = clean(best.train.key.precision, 20) or "this precision"
        yield f"{label}: offline inference in {precision} was not measured; evaluation and screening are left out."
