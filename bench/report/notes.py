"""What stands under the table of days versus hours: both sides of every speed-up by name, and whatever is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.analysis.model import ABOVE_CEILING, UNPROVEN, Group, MeasuredCase, Report, Row, Setting, SpeedUp, Stack
from bench.analysis.rows import X86
from bench.durations import duration, number, size
from bench.projection.assumptions import Assumptions
from bench.report import cells
from bench.statistics.stopping import MOST_FORETOLD, half_width, trials_needed
from bench.text.words import clean, plural, short


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
    alone = _without_interval(group)
    counts = {case.records for case in cases if case.log is not None and case.log.over == "records"}
    within = any(case.log is not None and case.log.over == "trials" for case in cases)
    if not counts:
        return _spaced(WITHIN if within else "", *alone)
    span = f"{min(counts):,}" if len(counts) == 1 else f"{min(counts):,} to {max(counts):,}"
    over = f"Intervals are over {span} records, each with the mean of its trials as one value"
    return _spaced(f"{over}; those of cases with one record hold within its run." if within else f"{over}.", *alone)


def _without_interval(group: Group) -> Iterable[str]:
    """Name what a projection has a single trial of, where that alone costs it its interval."""
    for row, label in labelled(group):
        best = row.best
        used = [case for case in (best.train, best.infer, best.decode) if case is not None and case.log is not None]
        single = [case.key.how.title for case in used if case.log is not None and case.log.standard_error is None]
        if best.projection.training.low is None and 0 < len(single) < len(used):
            yield f"One training of {label} has no interval, since there is a single trial of {' and of '.join(single)}."


def _spaced(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


WIDE = 10.0
"""Percent: the half-width from which on the report says what would narrow it, where the run was given no other."""

_MOST_NAMED = 4


def width_lines(report: Report) -> list[str]:
    """Which rates of one run are uncertain by more than was wished for, or than 10 %, and what would narrow them."""
    wide: dict[float, list[tuple[MeasuredCase, float]]] = {}
    unknown = []
    for case in (*report.measured, *report.to_quality):
        if case.log is None or case.log.over != "trials" or not case.valid:
            continue
        width, limit = half_width(case.log), case.within or WIDE
        if width is not None and 100 * width > limit:
            wide.setdefault(limit, []).append((case, width))
        elif width is None and case.within:
            unknown.append(f"{_named(case, report)}, wished for within ± {limit:g} %")
    lines = [_narrowing(report, limit, cases) for limit, cases in sorted(wide.items())]
    return lines + ([f"Of too few trials for an interval: {_listed(unknown)}."] if unknown else [])


def _narrowing(report: Report, limit: float, wide: Sequence[tuple[MeasuredCase, float]]) -> str:
    widest = sorted(wide, key=lambda found: -found[1])
    named = _listed([f"{_named(case, report)} (± {number(100 * width)} %)" for case, width in widest])
    needed = [(case, trials_needed(case.log, limit)) for case, _ in wide if case.log is not None]
    more = [(case, trials - case.trials) for case, trials in needed if trials is not None]
    if len(more) < len(needed):
        return f"Wider than ± {limit:g} %: {named}. For that, some would need more than {MOST_FORETOLD:,} trials; a quieter machine needs fewer."
    trials = plural(max(count for _, count in more), "more trial")
    spent = duration(sum(count * case.wall_seconds for case, count in more))
    folder = f", where FOLDER is that of run {clean(report.records[0].id, 60)}" if len(report.records) == 1 else ""
    return (
        f"Wider than ± {limit:g} %: {named}. About {trials} a case, {spent} in all, would give ± {limit:g} %: "
        f"bench run --resume FOLDER --within {limit:g}%{folder}."
    )


def _named(case: MeasuredCase, report: Report) -> str:
    return f"{cells.at_machine(case, report)}, {case.key.how.title}, {cells.setting(case)}"


def _listed(names: Sequence[str]) -> str:
    rest = [f"{len(names) - _MOST_NAMED:,} more"] if len(names) > _MOST_NAMED else []
    return "; ".join([*names[:_MOST_NAMED], *rest])


def decoded_lines(group: Group, assumptions: Assumptions) -> Iterable[str]:
    """Which devices have their images decoded once, where they are kept and how long that takes."""
    images = assumptions.dataset.images
    for row, label in labelled(group):
        decoding, room = row.best.projection.decoding, row.best.measured.room
        if decoding is not None:
            takes = size(images * room.image) if room.image else "their size is not known either"
            yield f"Decoded once, before training: {label}: {cells.estimated(decoding, duration)}{KEPT[room.keeps(images)]} {takes}."


KEPT = {
    "memory": "; kept in memory:",
    "disk": "; kept on disk, and reading them back is not counted:",
    "": "; it is not known whether its host has room for them:",
}
"""Where decoded images are kept, before their size."""


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
    if best.train.augment is None:
        yield f"{label}: its record does not say what it costs the host to change images at random, which is left out."
