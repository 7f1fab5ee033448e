"""Many alike machines in one table: a row per value of a label, each held against all the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from bench.analysis.model import CaseKey, Report
from bench.durations import number
from bench.report import cells
from bench.statistics.outliers import FEWEST, LEVEL, outliers
from bench.statistics.rates import Place, pooled_rate
from bench.text.sections import Section, Table
from bench.text.words import clean, plural, processor

MOST_TABLES = 40

Timed = Sequence[tuple[Place, float]]
Nodes = Mapping[CaseKey, Mapping[str, Timed]]
"""By case, machine and software apart: where every proven trial comes from and its ln(seconds per item), by the label's value."""


def node_sections(report: Report) -> list[Section]:
    """A section per case that several nodes measured."""
    several = {key: nodes for key, nodes in report.nodes.items() if len(nodes) > 1}
    sections = [_section(key, several[key], report.group_by) for key in sorted(several)[:MOST_TABLES]]
    if len(several) > MOST_TABLES:
        left_out = f"{plural(len(several) - MOST_TABLES, 'further table')} left out."
        sections.append(Section("By label: more", None, (left_out,)))
    if report.group_by and not several:
        line = "No case was measured under two values of this label."
        sections.append(Section(f"By {clean(report.group_by, 40)}", None, (line,)))
    return sections


def _section(key: CaseKey, nodes: Mapping[str, Timed], label: str) -> Section:
    names = sorted(nodes)
    rates = [pooled_rate([place for place, _ in nodes[name]], [log for _, log in nodes[name]]) for name in names]
    middle = median(rate.mean for rate in rates)
    far = set(outliers([rate.mean for rate in rates]))
    unit = key.how.unit.per_second
    rows = []
    for place in sorted(range(len(names)), key=lambda place: rates[place].mean):
        rate = rates[place]
        ratio = math.exp(middle - rate.mean)
        change = f"{100 * (ratio - 1):+.1f} %" if ratio < 10 else cells.times(ratio)
        rows.append(
            (
                clean(names[place], 60), cells.estimated(rate.estimate(), number), change, f"{len(nodes[names[place]]):,}",
                ("slower" if ratio < 1 else "faster") + " than the others" if place in far else "",
            )
        )  # fmt: skip
    what = [key.backend, "+".join(key.devices), f"{key.workload} {key.size}", key.phase, key.scenario, key.precision]
    size = f"batch {key.batch_size:,}" if key.how.batch else plural(key.cores, "core")
    title = f"By {clean(label, 40)}: " + " ".join(clean(part, 40) for part in [*dict.fromkeys(what), size] if part)
    title += f", {processor(clean(key.machine, 60))}" if key.machine else ""
    columns = (clean(label, 40), unit, "from the median", "trials", "outlier")
    return Section(title, Table(columns, tuple(rows), frozenset({2, 3})), _rule(len(names)))


def _rule(count: int) -> tuple[str, ...]:
    if count < FEWEST:
        return (f"Fewer than {FEWEST} are too few to call one an outlier.",)
    return (
        f"Outliers by the generalized extreme Studentized deviate test on log rates (Rosner 1983): among alike machines one is named by chance in "
        f"{100 * LEVEL:g} % of tables.",
    )
