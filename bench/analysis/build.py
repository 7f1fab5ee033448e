"""Build a report from records: pool, measure, project, and note whatever has to be said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.analysis.cases import measured_cases
from bench.analysis.model import CaseKey, MeasuredCase, Remark, Report
from bench.analysis.pool import Pool, pool
from bench.analysis.rows import groups
from bench.analysis.versus import check_reference
from bench.errors import NotComparableError, UsageError
from bench.projection.assumptions import Assumptions
from bench.record.schema import Ceiling, Record
from bench.text.words import clean, plural


def build(records: Iterable[Record], assumptions: Assumptions | None = None, group_by: str = "") -> Report:
    """The report of these records; an iterator is read one record at a time.

    Raises NotComparableError where nothing was measured, UsageError for a workload, size, label or reference that is not there,
    RecordError for a record that contradicts itself.
    """
    assumptions = assumptions or Assumptions()
    pooled = pool(records, group_by)
    if group_by and pooled.records and group_by not in pooled.labels:
        there = ", ".join(sorted(clean(label, 40) for label in pooled.labels)[:10]) or "none"
        raise UsageError(f"no record has the label '{clean(group_by, 40)}'; there is: {there}")
    everything = measured_cases(pooled)
    selected = _selected(everything, assumptions)
    if not any(case.log is not None or case.courses for case in selected):
        raise NotComparableError(_nothing(pooled, selected))
    cases = tuple(case for case in selected if not case.key.how.to_target)
    synthetic = {fingerprint for fingerprint, (made, _) in pooled.data.items() if made}
    known = {case.key: case for case in cases}
    projected = groups(cases, pooled.machines, synthetic, assumptions)
    if not projected and assumptions.reference is not None:
        check_reference(cases, assumptions.reference)
    return Report(
        assumptions=assumptions,
        groups=projected,
        measured=cases,
        machines=pooled.machines,
        ceilings=_ceilings(pooled),
        data={fingerprint: text for fingerprint, (_, text) in sorted(pooled.data.items())},
        records=tuple(sorted(pooled.records.values(), key=lambda line: (line.created, line.id))),
        skips=_remarks(pooled.skips.items()),
        failures=_remarks(pooled.failures.items()),
        impossible=_remarks(pooled.impossible.items()),
        notes=_notes(pooled, selected),
        group_by=group_by,
        nodes={key: nodes for key, nodes in pooled.nodes.items() if _chosen(key, assumptions)},
        forecasts=tuple((known[key], found) for key, found in pooled.forecasts if key in known),
        to_quality=tuple(case for case in selected if case.key.how.to_target),
    )


def _selected(cases: Sequence[MeasuredCase], assumptions: Assumptions) -> tuple[MeasuredCase, ...]:
    chosen = [case for case in cases if _chosen(case.key, assumptions)]
    if cases and not chosen:
        there = sorted({f"{clean(case.key.workload, 40)} {clean(case.key.size, 40)}" for case in cases})
        wanted = " ".join(part for part in (assumptions.workload, assumptions.size) if part)
        raise UsageError(f"the records hold no '{clean(wanted, 60)}'; there is: {', '.join(there)}")
    return tuple(chosen)


def _chosen(key: CaseKey, assumptions: Assumptions) -> bool:
    return assumptions.workload in {None, key.workload} and assumptions.size in {None, key.size}


def _nothing(pooled: Pool, cases: Sequence[MeasuredCase]) -> str:
    if not pooled.records:
        return "no records to report"
    reasons = [case.no_figure for case in cases if case.no_figure]
    reasons += [f"{what}: {reason}" for what, reason in [*pooled.failures, *pooled.skips]]
    why = f" ({clean(reasons[0])})" if reasons else ""
    return f"nothing was measured in {plural(len(pooled.records), 'record')}{why}; measure with: bench run"


def _remarks(counted: Iterable[tuple[tuple[str, str], int]]) -> tuple[Remark, ...]:
    return tuple(Remark(what, reason, count) for (what, reason), count in counted)


def _ceilings(pooled: Pool) -> dict[str, tuple[Ceiling, ...]]:
    found: dict[str, list[Ceiling]] = {}
    for (machine, *_), ceiling in sorted(pooled.ceilings.items()):
        found.setdefault(machine, []).append(ceiling)
    return {machine: tuple(ceilings) for machine, ceilings in found.items()}


def _notes(pooled: Pool, cases: Sequence[MeasuredCase]) -> tuple[str, ...]:
    notes = []
    if pooled.repeated:
        notes.append(f"Given twice and counted once: {plural(pooled.repeated, 'record')}.")
    commits = {line.commit for line in pooled.records.values()}
    if pooled.twins:
        notes.append(f"Trials that stand in two records were counted once: {plural(pooled.twins, 'trial')}.")
    if len(commits) > 1 and any(case.records > 1 for case in cases):
        notes.append(f"Trials are pooled over {len(commits)} commits of the harness.")
    unfinished = sum(not line.complete for line in pooled.records.values())
    if unfinished:
        notes.append(f"Sealed after an interruption, with trials missing: {plural(unfinished, 'record')}.")
    return tuple(notes)
