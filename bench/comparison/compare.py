"""Two groups of records, case by case.

Pairs that were measured side by side, as ``bench check --against`` does, are judged as pairs. Records of one machine from
sessions of their own are judged by how its sessions differ, given enough of them. Of anything else the effect is given
and no verdict, with the interval over sessions where both sides have several, else over trials: trials of one session do not tell how
sessions differ, and other machines differ in more than what is compared.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bench.comparison.facts import CaseKey, Facts, case_key, facts_of
from bench.comparison.model import Absolute, CaseComparison, Comparison, Figures, not_measured, percent
from bench.comparison.stages import stage_changes
from bench.comparison.trials import Usable, paired, usable
from bench.errors import NoFigure, NotComparableError, RecordError
from bench.record.figures import figure, trials_of
from bench.record.labels import ARM, ARMS, CHECK, LEVEL, PASS_LEVEL
from bench.record.schema import Case, Record, Trial
from bench.statistics.pairs import ERROR_LEVEL, Effect, Verdict, detectable, doubtful, judge, judge_pairs, welch
from bench.statistics.rates import exp_within
from bench.statistics.sessions import predicted

UNJUDGED = ("trials", "records")
"""Methods whose intervals allow no verdict: within one session a side, or over fewer sessions than tell how they differ."""

FEWEST_RECORDS = 2
"""Sessions on either side from which on they, and not their trials, are the unit."""


@dataclass(frozen=True)
class _Side:
    """One case in one group of records."""

    case: Case
    facts: Facts
    fingerprints: frozenset[str]
    hardware: frozenset[str]  # the same, but for the driver
    sessions: tuple[tuple[Trial, ...], ...]  # the usable trials of each record
    all: Usable
    check: str  # the check these pairs belong to
    arm: str  # which of its two environments
    levels: tuple[float, float] | None  # of "regressed" and of "pass", where a check decided the case

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The usable trials of all sessions."""
        return self.all.trials


def compare(
    base: Sequence[Record], candidate: Sequence[Record], vary: Collection[str] = (), names: tuple[str, str] = ("A", "B")
) -> Comparison:
    """Every case of either group. Raises NotComparableError where no case is in both, naming the facts that differ."""
    across = not _of_one_machine(base, candidate, vary)
    sides = _sides(base, vary, across), _sides(candidate, vary, across)
    shared = [key for key in sides[0] if key in sides[1]]
    if not shared:
        raise NotComparableError(f"nothing to compare: {_why_disjoint(base, candidate)}")
    cases = [_compared(sides[0][key], sides[1][key], vary, len(shared), across) for key in shared]
    cases += [_missing(sides[0][key], names[1]) for key in sides[0] if key not in sides[1]]
    cases += [_missing(sides[1][key], names[0]) for key in sides[1] if key not in sides[0]]
    differing: dict[str, tuple[str, str]] = {}
    for key in shared:
        differing |= sides[0][key].facts.differing(sides[1][key].facts)
    differences = tuple(f"{name}: {one or 'none'} → {two or 'none'}" for name, (one, two) in differing.items())
    skipped = _skipped((*base, *candidate), {case.label for case in cases})
    return Comparison(names[0], names[1], tuple(cases), differences, _notes(base, candidate), skipped)


def refuse_unjudgeable(base: Sequence[Record], planned: Record, vary: Collection[str]) -> None:
    """Raises NotComparableError where no case of a run that is still to be measured could be held against the base.

    ``planned``: a record of that run as it will be, without trials. What only measuring tells, as the images, is taken to fit.
    """
    there = _sides(base, vary, across=False)
    refusals = []
    for case in planned.cases:
        side = there.get(case_key(case, vary))
        if side is None:
            continue
        differing = side.facts.differing(facts_of(planned, case))
        allowed = {"workload", *vary, *(("device", "machine", "driver") if "device" in vary else ())}
        if forbidden := {name: both for name, both in differing.items() if name not in allowed}:
            refusals.append(f"{case.label}: {_differences(forbidden)}")
        else:
            return
    raise NotComparableError(f"nothing to compare: {refusals[0] if refusals else _why_disjoint(base, [planned])}")


def _of_one_machine(base: Sequence[Record], candidate: Sequence[Record], vary: Collection[str]) -> bool:
    """Whether the groups share a machine, or where the driver is under test its hardware."""
    one, two = ({record.machine.fingerprint for record in side} for side in (base, candidate))
    if "driver" in vary:
        one |= {record.machine.facts.get("hardware", "") for record in base} - {""}
        two |= {record.machine.facts.get("hardware", "") for record in candidate} - {""}
    return bool(one & two)


def _sides(records: Sequence[Record], vary: Collection[str], across: bool) -> dict[CaseKey, _Side]:
    found: dict[CaseKey, _Side] = {}
    for record in records:
        for index, case in enumerate(record.cases):
            key = case_key(case, vary, record.machine.cores if across else None)
            good = usable(trials_of(record.trials, index))
            side = _Side(
                case,
                facts_of(record, case),
                frozenset({record.machine.fingerprint}),
                frozenset({record.machine.facts.get("hardware", "")}),
                (good.trials,),
                good,
                record.labels.get(CHECK, ""),
                record.labels.get(ARM, ""),
                _levels(record, index),
            )
            found[key] = _joined(found[key], side) if key in found else side
    return found


def _levels(record: Record, index: int) -> tuple[float, float] | None:
    """The error levels at which a check decided a case. Raises RecordError for one that no check writes."""
    level = _level(record, f"{LEVEL}.{index}")
    return None if level is None else (level, _level(record, f"{PASS_LEVEL}.{index}") or level)


def _level(record: Record, label: str) -> float | None:
    text = record.labels.get(label)
    if text is None:
        return None
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not 0 < level < 0.5:
        raise RecordError(f"record {record.id} has the error level {text!r} for a case; expected a number between 0 and 0.5")
    return level


def _joined(one: _Side, two: _Side) -> _Side:
    """The same case of another record of the group. Raises NotComparableError where it is not the same."""
    differing = one.facts.differing(two.facts)
    if differing:
        name, (first, second) = next(iter(differing.items()))
        raise NotComparableError(
            f"the records of one group do not belong together: {one.case.label} has {name} {first} in one and {second} in another"
        )
    return _Side(
        one.case,
        one.facts,
        one.fingerprints | two.fingerprints,
        one.hardware | two.hardware,
        one.sessions + two.sessions,
        one.all + two.all,
        one.check if (one.check, one.arm) == (two.check, two.arm) else "",
        one.arm,
        one.levels,
    )


def _missing(side: _Side, where: str) -> CaseComparison:
    return CaseComparison(side.case.label, Verdict.NOT_COMPARABLE, None, not_measured(where))


def _compared(base: _Side, candidate: _Side, vary: Collection[str], cases: int, across: bool) -> CaseComparison:
    label = candidate.case.label
    allowed = set(vary) | ({"device", "machine", "driver"} if "device" in vary else set())
    differing = base.facts.differing(candidate.facts)
    forbidden = {name: both for name, both in differing.items() if name not in allowed}
    same = base.fingerprints == candidate.fingerprints or ("driver" in vary and base.hardware == candidate.hardware)
    # Machines differ in their software too, and in how many threads they have: that is said, and there is no verdict.
    if set(forbidden) & ({"workload"} if across else {"workload", "framework", "settings"}):
        return CaseComparison(label, Verdict.NOT_COMPARABLE, None, _differences(forbidden))
    stages, absolute = stage_changes(base.trials, candidate.trials), _absolute(base, candidate)
    try:
        figures, reason = _figures(base, candidate, (ERROR_LEVEL / cases, ERROR_LEVEL))
    except NoFigure as error:
        trouble = base.all.trouble or candidate.all.trouble or str(error)
        verdict = Verdict.INCONCLUSIVE if base.trials and candidate.trials else Verdict.NOT_COMPARABLE
        return CaseComparison(label, verdict, None, trouble, stages, absolute)
    if forbidden or not same:
        where = _differences(differing) or "their fingerprints differ, in what the processor or the system can do"
        return CaseComparison(label, None, figures, f"no verdict across machines: {where}", stages, absolute)
    unproven = next((side.all for side in (base, candidate) if side.all.unproven), None)
    if unproven is not None:
        reason = f"{unproven.unproven} trials could not be proven; the first trouble: {unproven.trouble}"
        return CaseComparison(label, Verdict.NOT_COMPARABLE, figures, reason, stages, absolute)
    if figures.method in UNJUDGED:
        return CaseComparison(label, Verdict.INCONCLUSIVE, figures, reason, stages, absolute)
    verdict, reason = _verdict(figures)
    if verdict in {Verdict.PASS, Verdict.IMPROVED} and (doubt := _doubt(base.all, candidate.all)):
        verdict, reason = Verdict.INCONCLUSIVE, doubt
    return CaseComparison(label, verdict, figures, reason or base.all.trouble or candidate.all.trouble, stages, absolute)


def _absolute(base: _Side, candidate: _Side) -> Absolute | None:
    """Return what both sides did, in the unit of the case's scenario; None where a trial of either has no figure."""
    try:
        logs = [[figure(side.case, trial) for trial in side.trials] for side in (base, candidate)]
    except NoFigure:
        return None
    if not all(logs):
        return None
    seconds = [exp_within(sum(side) / len(side)) for side in logs]  # for one image or pixel, or for the training
    how = candidate.case.how
    if how.to_target:
        return Absolute(seconds[0], seconds[1], "s")
    there, here = (1 / (how.unit.size * one) for one in seconds)
    return Absolute(there, here, how.unit.per_second)


def _verdict(figures: Figures) -> tuple[Verdict, str]:
    """Return the verdict that the figures give, and a reason where it needs one."""
    verdict = alone = judge(figures.effect)
    if figures.total is not None and figures.mean is not None:
        verdict = judge_pairs(figures.effect, figures.total, figures.mean)
        if verdict is not alone:
            seldom, share = ("processes", figures.mean) if doubtful(figures.mean) else ("blocks", figures.total)
            return verdict, f"the slow-down sits in few {seldom}: all of them together took {percent(share.log_ratio)} time"
    if verdict is Verdict.INCONCLUSIVE and figures.detectable is not None:
        return verdict, f"too few or too noisy: a slow-down of {100 * figures.detectable:.1f} % would have been found"
    return verdict, ""


def _doubt(base: Usable, candidate: Usable) -> str:
    """Return why good figures are no pass, or nothing: trials that failed may have been the slow ones, or were not steady."""
    if candidate.failed and not base.failed:
        return f"{candidate.failed} of the candidate's trials failed, and none of the base's: {candidate.trouble}"
    for name, side in (("base", base), ("candidate", candidate)):
        if 2 * side.moving >= len(side.trials):
            return f"{side.moving} of the {name}'s {len(side.trials)} trials still became faster; give --seconds more"
    return ""


def _figures(base: _Side, candidate: _Side, levels: tuple[float, float]) -> tuple[Figures, str]:
    """Return what a verdict is judged by, at these error levels of "regressed" and of "pass", and why there is none that decides."""
    if base.check and base.check == candidate.check and {base.arm, candidate.arm} == set(ARMS):
        spent = candidate.levels or levels
        effect, total, mean = paired(candidate.case, base.trials, candidate.trials).effects(*spent)
        return Figures(effect, *spent, "pairs", _detectable(effect, spent[0]), total, mean), ""
    logs = [
        [[figure(side.case, trial) for trial in session] for session in side.sessions if session]
        for side in (base, candidate)
    ]
    sessions = [[sum(session) / len(session) for session in side] for side in logs]
    try:
        effect = predicted(sessions[0], sessions[1], *levels)
        return Figures(effect, *levels, "sessions", _detectable(effect, levels[0])), ""
    except NoFigure as error:
        reason = str(error)
    if min(map(len, sessions)) >= FEWEST_RECORDS:
        return Figures(welch(sessions[0], sessions[1], levels[0]), levels[0], levels[0], "records", None), reason
    everything = [[value for session in side for value in session] for side in logs]
    return Figures(welch(everything[0], everything[1], levels[0]), levels[0], levels[0], "trials", None), reason


def _detectable(effect: Effect, level: float) -> float | None:
    found = detectable(effect.standard_error, effect.degrees_of_freedom, level)
    return found if found < 10 else None


def _differences(differing: dict[str, tuple[str, str]]) -> str:
    return "; ".join(f"{name} differs ({one or 'none'} | {two or 'none'})" for name, (one, two) in differing.items())


def _why_disjoint(base: Sequence[Record], candidate: Sequence[Record]) -> str:
    """Return a sentence on the first fact whose values in the two groups are all different."""
    if not all(any(record.cases for record in side) for side in (base, candidate)):
        return "one side holds no case at all"
    names = ("workload", "size", "phase", "precision", "batch_size", "backend", "devices", "cores")
    for name in names:
        one, two = ({_text(getattr(case, name)) for record in side for case in record.cases} for side in (base, candidate))
        if not one & two:
            return f"{name.replace('_', ' ').replace('cores', 'threads')} differs ({', '.join(sorted(one))} | {', '.join(sorted(two))})"
    return "no case is in both; compare records of the same workload, size, phase, precision and batch size"


def _text(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value) or "none"


def _skipped(records: Sequence[Record], compared: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Return what was skipped and why, without backends and plugins that nobody named."""
    skips = [skip for record in records for skip in record.skips if not skip.what.startswith(("backend ", "plugin "))]
    return tuple({skip.what: (skip.what, skip.reason) for skip in skips if skip.what not in compared}.values())


def _notes(base: Sequence[Record], candidate: Sequence[Record]) -> tuple[str, ...]:
    notes = []
    commits = [
        ", ".join(sorted({record.bench.get("commit", "")[:12] or "unknown" for record in side}))
        for side in (base, candidate)
    ]
    if commits[0] != commits[1]:
        notes.append(f"accelbench's commit: {commits[0]} → {commits[1]}")
    if any(not record.complete for record in (*base, *candidate)):
        notes.append("A record was sealed after an interruption, with trials missing.")
    return tuple(notes)
