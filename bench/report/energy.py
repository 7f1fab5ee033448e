"""What the devices drew: per image, per training, per million inferences; measured, or said not to be."""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis.model import MeasuredCase, Report
from bench.durations import UNKNOWN, number
from bench.report import cells
from bench.report.notes import labelled
from bench.text.sections import Section, Table, cut

_MILLION = 1e6
TRAINING = "Energy of one training, projected"


def energies(report: Report) -> list[Section]:
    """A section for the cases whose draw was measured, and one per network for whole trainings."""
    counted = [case for case in report.measured if case.power is not None and case.log is not None]
    if not counted:
        line = "Not measured: no machine let its energy counters be read (NVML's, RAPL's). Nothing is estimated."
        return [Section("Energy", None, (line,))]
    columns = ("device", "phase", "setting", "draw", "idle", "each", "a million")
    table = Table(columns, tuple(_case(case, report) for case in counted), frozenset({3, 4, 5, 6}))
    sections = [Section("Energy: measured", table, cut([*_sources(counted)]))]
    for group in report.groups:
        rows = [
            (label, cells.estimated(row.best.projection.energy, cells.energy))
            for row, label in labelled(group)
            if row.best.projection.energy is not None
        ]
        if rows:
            title = f"{TRAINING}: {cells.group_name(group, report.groups)}"
            lines = (
                "The measured draw while training, idle draw included, over the whole projected time, with the scatter of both; of the device alone, "
                "not of its host.",
            )
            sections.append(Section(title, Table(("device", "one training"), tuple(rows)), lines))
    return sections


def _case(case: MeasuredCase, report: Report) -> tuple[str, ...]:
    assert case.power is not None
    assert case.log is not None
    joules = case.power.draw.rate / case.log.rate
    idle = UNKNOWN if case.power.idle_watts is None else f"{number(case.power.idle_watts)} W"
    return (
        cells.at_machine(case, report), case.key.how.title,
        cells.setting(case), cells.estimated(case.power.draw.estimate(), lambda watts: f"{number(watts)} W"), idle,
        f"{cells.energy(joules)} {case.key.how.unit.one}", cells.energy(_MILLION * joules),
    )  # fmt: skip


def _sources(cases: list[MeasuredCase]) -> Iterator[str]:
    counters = sorted({name for case in cases if case.power is not None for name in case.power.counters})
    yield f"Counters: {', '.join(counters)}. Idle: drawn by the same counters before a worker had loaded anything; it is part of the draw."
    yield "Idle is read for a third of a second right before each trial, when a device may not have come to rest from the one before."
    yield "A processor's counters count everything that runs on it; a GPU's count that GPU alone."
