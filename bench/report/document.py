"""The report as sections of tables and sentences, the same for every format that people read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.analysis.model import MARKS, Remark, Report
from bench.durations import duration
from bench.projection.assumptions import MODEL
from bench.report import cells
from bench.report.ceilings import binding_lines
from bench.report.costs import costs, inference_cost_section
from bench.report.energy import energies
from bench.report.forecasts import forecast_section
from bench.report.headline import headline
from bench.report.machines import ceiling_lines, disturbance_lines, finding_lines, machine_lines, record_lines, slowing_lines
from bench.report.measured import input_taxes, measured
from bench.report.nodes import node_sections
from bench.report.notes import not_projected, width_lines
from bench.report.proofs import proof_section
from bench.report.quality import time_to_quality
from bench.report.versus import versus_section
from bench.text.sections import Section, cut
from bench.text.words import clean, first_line

ASSUMPTIONS = "Assumptions"


def document(report: Report) -> list[Section]:
    """Days versus hours, what was measured, and what has to be known about both."""
    return [section for _, section in _sections(report)]


def document_parts(report: Report) -> dict[str, list[Section]]:
    """The same sections by the part of a page they belong to: headline, cost, energy, nodes, training, belief, evidence."""
    parts: dict[str, list[Section]] = {}
    for part, section in _sections(report):
        parts.setdefault(part, []).append(section)
    return parts


def _sections(report: Report) -> list[tuple[str, Section]]:
    """Days versus hours come first. Where nothing was trained, inference does."""
    first = _inference(report) if not report.groups else []
    sections = [*first, *(("headline", headline(group, report)) for group in report.groups)]
    sections += [("cost" if report.groups else "inference", section) for section in costs(report)]
    sections += [("energy", section) for section in energies(report)]
    sections += [("nodes", section) for section in node_sections(report)]
    sections.append(("headline", Section("Not projected", None, cut(not_projected(report)))))
    sections += [("training", section) for section in time_to_quality(report)]
    sections += _inference(report) if report.groups else []
    sections.append(("belief", Section("Wide intervals", None, tuple(width_lines(report)))))
    sections.append(("training", Section("Training from files", None, cut(input_taxes(report)))))
    sections.append(("evidence", Section("Marks", None, tuple(f"{sign} {text}" for sign, text in _marks(report)))))
    sections.append(("evidence", Section(ASSUMPTIONS, None, tuple(assumption_lines(report)))))
    sections.append(("belief", forecast_section(report)))
    sections.append(("belief", proof_section(report)))
    sections.append(("belief", Section("Impossible", None, tuple(_remarks(report.impossible)))))
    sections.append(("belief", Section("Failed trials", None, tuple(_remarks(report.failures)))))
    sections.append(("belief", Section("Skipped", None, tuple(_remarks(report.skips)))))
    sections.append(("evidence", Section("Ceilings", None, cut(ceiling_lines(report)))))
    sections.append(("belief", Section("What binds", None, tuple(binding_lines(report)))))
    disturbed = (*cut(finding_lines(report)), *cut(disturbance_lines(report)), *cut(slowing_lines(report)))
    sections.append(("evidence", Section("Machines", None, cut(machine_lines(report)))))
    sections.append(("belief", Section("What disturbed these measurements", None, disturbed)))
    sections.append(("evidence", Section("Records", None, (*cut(record_lines(report)), *report.notes))))
    return [(part, section) for part, section in sections if section.table is not None or section.lines]


def _inference(report: Report) -> list[tuple[str, Section]]:
    """What was measured, and inference and decoding against the reference; the ratios first where there is nothing before them."""
    # A page's what-if changes prices, which this table would not follow: it stands on pages without a what-if.
    paid = [("inference" if not report.groups else "inference costs", inference_cost_section(report))]
    against = [("inference", versus_section(report)), *paid]
    rates = [("evidence", section) for section in measured(report)]
    return [*rates, *against] if report.groups else [*against, *rates]


def _marks(report: Report) -> Iterable[tuple[str, str]]:
    used = {mark for case in (*report.measured, *report.to_quality) for mark in case.marks}
    return [MARKS[mark] for mark in MARKS if mark in used]


def assumption_lines(report: Report) -> Iterable[str]:
    """Everything that the figures take as given."""
    if report.groups:
        yield (
            "Speed-ups are of one training against the reference, above 1x faster: in the same precision and batch size, and each "
            f"device in its fastest setting. 'in {report.assumptions.budget_hours:g} h' counts the trainings of an ensemble."
        )
        yield from report.assumptions.project()
        yield (
            "Epochs: "
            + ", ".join(f"{cells.group_name(group, report.groups)} {group.epochs:,}" for group in report.groups)
            + (", as the workload specifies." if report.assumptions.epochs is None else ", as given.")
        )
        yield views_line(report)
        yield from MODEL
        yield _measured_for(report)
        yield "Megapixels decoded per second are taken to hold for files of any size; they were measured on the images named below."
    yield (
        "Rates pool the trials of equal cases over all records of one machine fingerprint and one software; a trial is "
        "one process."
    )
    methods = {found.method for case in report.measured for found in case.latency}
    if "order statistics" in methods:
        yield "Latency intervals of fewer than three trials take queries for independent, and are rather too narrow."
    images = [clean(text) for text in dict.fromkeys(report.data.values())]
    if images:
        yield f"Measured on: {'; '.join(cut(images))}."


def views_line(report: Report) -> str:
    """In how many views evaluations see each image; nothing of it follows the what-if."""
    groups = ", ".join(f"{cells.group_name(group, report.groups)} {group.views:,}" for group in report.groups)
    unknown = [cells.group_name(group, report.groups) for group in report.groups if not group.views_known]
    assumed = f" The records of {', '.join(unknown)} do not say so; the usual number is assumed." if unknown else ""
    return f"Views of each image in an evaluation, whose predictions are averaged: {groups}.{assumed}"


def _measured_for(report: Report) -> str:
    """How long the rates were measured that hours are projected from."""
    used = [
        case.steady_seconds
        for group in report.groups
        for row in group.rows
        for setting in row.settings
        for case in (setting.train, setting.infer, setting.decode)
        if case is not None
    ]
    least, most = duration(min(used)), duration(max(used))
    span = least if least == most else f"{least} to {most}"
    return (
        f"Each trial timed {span} of steady work, and times of minutes and hours are projected from that. What a device does only under longer load, as "
        "from heat, is not in them: bench run --seconds 60 times a minute in each trial, bench forecast-check whole trainings."
    )


def _remarks(remarks: Sequence[Remark]) -> tuple[str, ...]:
    lines = []
    for remark in remarks:
        count = f" ({remark.count:,} times)" if remark.count > 1 else ""
        lines.append(f"{clean(remark.what, 120)}: {first_line(remark.reason)}{count}")
    return cut(lines)
