"""What stands under the table of days versus hours: both sides of every speed-up by name, and whatever is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.report import cells
from bench.report.model import Group, Row, SpeedUp, Stack
from bench.report.text import clean, short


def row_labels(group: Group) -> list[str]:
    """A name per row: the device, and what tells it from others of that name: machine, versions, environment, harness."""
    stacks: dict[tuple[str, str, tuple[str, ...]], set[Stack]] = {}
    for row in group.rows:
        stacks.setdefault(_device(row), set()).add(row.best.train.key.stack)
    machines = len({row.machine.fingerprint for row in group.rows})
    labels = []
    for row in group.rows:
        parts = [short(row.machine.fingerprint)] if machines > 1 else []
        stack, twins = row.best.train.key.stack, stacks[_device(row)]
        for place, name in enumerate(Stack._fields):
            if len({twin[place] for twin in twins}) > 1:
                parts.append(clean(stack[place], 60) or f"no {name}")
        label = cells.device(row.best.train, row.machine)
        labels.append(f"{label} [{', '.join(parts)}]" if parts else label)
    return labels


def _device(row: Row) -> tuple[str, str, tuple[str, ...]]:
    key = row.best.train.key
    return key.machine, key.backend, key.devices


def row_notes(group: Group, labels: Sequence[str]) -> Iterable[str]:
    """One sentence per speed-up and per missing measurement."""
    if group.reference is None:
        yield "No CPU reference: the records hold no valid training on a host's processor, so there are no speed-ups."
    for row, label in zip(group.rows, labels, strict=True):
        yield from _missing(row, label)
    for row in group.rows:
        if row.same is not None and row.same.same is not None:
            yield _sides("same", row, row.same.same, cells.side(row.same.train, row.machine), group)
        if row.best.best is not None:
            yield _sides("best", row, row.best.best, cells.side(row.best.train, row.machine), group)


def _missing(row: Row, label: str) -> Iterable[str]:
    best = row.best
    if best.decode is None:
        yield f"{label}: decoding was not measured on this machine and is left out; real trainings take longer."
    elif best.decode.key.threads < row.machine.cores:
        cores = f"{best.decode.key.threads} of {row.machine.cores} cores"
        yield f"{label}: decoding was measured on {cores} and is not extrapolated."
    if best.infer is None:
        precision = clean(best.train.key.precision, 20) or "this precision"
        yield f"{label}: offline inference in {precision} was not measured; evaluation and screening are left out."


def _sides(column: str, row: Row, speed_up: SpeedUp, candidate: str, group: Group) -> str:
    assert group.reference is not None
    machine = group.reference.machine
    elsewhere = "" if row.machine.fingerprint == machine.fingerprint else f", on machine {short(machine.fingerprint)}"
    left_out = f"; without {' and '.join(speed_up.left_out)}, not measured on both" if speed_up.left_out else ""
    return f"{column}: {candidate}, against {cells.side(speed_up.reference, machine)}{elsewhere}{left_out}."
