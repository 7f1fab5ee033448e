"""The table of days versus hours: a row per device, what it means in words beneath."""

from __future__ import annotations

from collections.abc import Iterable

from bench.analysis.model import Group, Report, Row, Setting, SpeedUp
from bench.durations import UNKNOWN, duration
from bench.report import cells
from bench.report.notes import decoded_lines, interval_line, labelled, row_notes
from bench.text.sections import Section, Table, cut
from bench.text.words import plural


def headline(group: Group, report: Report) -> Section:
    """Days versus hours for one workload and size."""
    assumptions = report.assumptions
    name = cells.group_name(group, report.groups)
    title = f"Days versus hours: {name}, {assumptions.dataset.sized_title}, {plural(group.epochs, 'epoch')}"
    columns = (
        "device",
        "setting",
        "decode",
        "one training",
        f"{assumptions.tuning_runs:,} runs",
        every(assumptions.retrain_days),
        f"in {assumptions.budget_hours:g} h",
        "same precision",
        "best precision",
        "limited by",
    )
    rows = tuple(_row(row, label, group) for row, label in labelled(group))
    spread = [line for line in [interval_line(group)] if line]
    lines = cut(
        [
            *spread,
            *row_notes(group, assumptions),
            *decoded_lines(group, assumptions),
            *_from_arrays(group),
            *_screening(group),
            *_overtaking(group),
        ]
    )
    return Section(title, Table(columns, rows, frozenset({5, 6})), lines)


def every(days: float) -> str:
    """The heading of the column that counts trainings from one retraining to the next."""
    return "a week" if days == 7 else f"in {days:g} day" + ("" if days == 1 else "s")


def _row(row: Row, label: str, group: Group) -> tuple[str, ...]:
    best = row.best
    projection = best.projection
    return (
        label,
        setting_cell(best),
        cells.decoding(best.decode),
        cells.estimated(projection.training, duration),
        cells.estimated(projection.tuning_loop, duration),
        cells.per_week(projection.trainings_per_interval),
        cells.members(projection.ensemble),
        *_speed_ups(row, group),
        cells.binds(best),
    )


def _overtaking(group: Group) -> Iterable[str]:
    """Say from how many images on each device finishes a training before the reference."""
    for row, label in labelled(group):
        if row.break_even is not None and row.break_even.images is not None and group.reference is not None:
            images = cells.images(row.break_even.images)
            best = row.best.best
            left_out = f", without {' and '.join(best.left_out)}" if best is not None and best.left_out else ""
            yield f"{label} finishes a training before the reference {row.break_even.kind} about {images} images{left_out}."


def setting_cell(setting: Setting) -> str:
    """``bf16, batch 32 ¹``: the setting and the marks of everything that its projection stands on."""
    used = [case for case in (setting.train, setting.infer, setting.decode) if case is not None]
    return cells.marked(cells.setting(setting.train), *used)


def _speed_ups(row: Row, group: Group) -> tuple[str, str]:
    if group.reference is None:
        return "no CPU reference", "no CPU reference"
    if row.reference:
        return "reference", "reference"
    same = row.same.same if row.same is not None else None
    return "none alike" if same is None else _times(same), UNKNOWN if row.best.best is None else _times(row.best.best)


def _times(speed_up: SpeedUp) -> str:
    """The factor; with a star where something is left out, which a sentence beneath names."""
    return cells.estimated(speed_up.factor, cells.times) + (cells.whole(" *") if speed_up.left_out else "")


def _from_arrays(group: Group) -> Iterable[str]:
    """Say how long ``bench train`` itself takes, which decodes each image once, before it starts."""
    for row, label in labelled(group):
        if row.best.projection.from_arrays is not None and row.best.projection.decoding is None:
            time = cells.estimated(row.best.projection.from_arrays, duration)
            yield f"As bench train has it, on images decoded before: {label}, {cells.setting(row.best.train)}: {time}."


def _screening(group: Group) -> Iterable[str]:
    for row, label in labelled(group):
        if row.best.infer is not None:
            time = cells.estimated(row.best.projection.screening, duration)
            yield f"Screening every image once, by inference: {label}, {cells.setting(row.best.infer)}: {time}."
