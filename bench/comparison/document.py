"""A comparison as sections that people read, as plain data, and as JUnit XML."""

from __future__ import annotations

from dataclasses import asdict

import msgspec

from bench.comparison.model import Absolute, CaseComparison, Comparison, StageChange, percent
from bench.durations import UNKNOWN, duration, number, size
from bench.statistics.pairs import TO_BE_FOUND, TOLERATED, Verdict
from bench.text.sections import Section, Table
from bench.text.words import clean

FORMAT = 1

DOCUMENT = "accelbench comparison"
"""What JSON of a comparison calls itself."""


def sections(comparison: Comparison, title: str) -> list[Section]:
    """The table of effects and verdicts, what else moved, and what has to be known."""
    columns = (
        "case",
        "verdict",
        f"time, {clean(comparison.candidate, 30)} against {clean(comparison.base, 30)}",
        "rate, base → candidate",
        "n",
        "moved",
    )
    rows = tuple(_row(case) for case in comparison.cases)
    verdict = "" if comparison.verdict is None else f": {comparison.verdict}"
    reasons = [f"{clean(case.label, 80)}: {clean(case.reason, 300)}" for case in comparison.cases if case.reason]
    skipped = [f"{clean(what, 80)}: {clean(reason, 300)}" for what, reason in comparison.skipped]
    found = [
        Section(f"{title}{verdict}", Table(columns, rows, frozenset({3, 4})), tuple(reasons)),
        Section("What differs", None, tuple(clean(text, 400) for text in comparison.differences)),
        Section("Skipped", None, tuple(skipped)),
        Section("How it was judged", None, (*_rules(comparison), *comparison.notes)),
    ]
    return [section for section in found if section.table is not None or section.lines]


def _row(case: CaseComparison) -> tuple[str, ...]:
    figures = case.figures
    return (
        clean(case.label, 80),
        "no verdict" if case.verdict is None else str(case.verdict),
        UNKNOWN
        if figures is None
        else f"{percent(figures.effect.log_ratio)} ({percent(figures.effect.low)} to {percent(figures.effect.high)})",
        UNKNOWN if case.absolute is None else _both(case.absolute),
        UNKNOWN if figures is None else f"{figures.effect.n} {figures.method}",
        ", ".join(_moved(stage) for stage in case.stages if stage.moved) or UNKNOWN,
    )


def _both(absolute: Absolute) -> str:
    return f"{number(absolute.base)} → {number(absolute.candidate)} {absolute.unit}"


def _moved(stage: StageChange) -> str:
    write = (lambda value: size(int(value))) if stage.name.endswith("memory") else duration
    return f"{stage.name} {write(stage.base)} → {write(stage.candidate)}"


def _rules(comparison: Comparison) -> list[str]:
    judged = [case.figures for case in comparison.cases if case.figures is not None and case.verdict is not None]
    if not judged:
        return ["Positive is slower. Intervals over trials, or over records where both sides have several; no verdict."]
    methods = ", ".join(sorted({figures.method for figures in judged}))
    level = sum(figures.level for figures in judged)
    pass_level = max(figures.pass_level for figures in judged)
    return [
        f"Positive is slower. Up to {100 * TOLERATED:g} % is tolerated, {100 * TO_BE_FOUND:g} % must be found: beyond the one is "
        "regressed, below the other is a pass, and what the interval cannot tell is inconclusive. A pass bounds a typical process.",
        f"Intervals over {methods}. One-sided error levels: {100 * level:.2g} % at the lower ends, of all cases together, since one of "
        f"them can make this a regression; {100 * pass_level:.2g} % at each upper end, since all must pass.",
    ]


def as_json(comparison: Comparison) -> str:
    """Everything as JSON."""
    data = {
        "format": DOCUMENT,
        "version": FORMAT,
        "verdict": comparison.verdict,
        "exit_code": int(comparison.exit_code),
        "tolerated": TOLERATED,
        "to_be_found": TO_BE_FOUND,
        **asdict(comparison),
    }
    return msgspec.json.format(msgspec.json.encode(data), indent=1).decode() + "\n"


def as_junit(comparison: Comparison, name: str) -> str:
    """JUnit XML: a case per test; a regression is a failure, what could not be compared an error, what could not be decided is
    skipped."""
    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

    suite = TestSuite(name)
    for case in comparison.cases:
        test = TestCase(clean(case.label), "bench")
        row = _row(case)
        text = "" if case.figures is None else row[2]
        rates = "" if case.absolute is None else row[3]
        message = "; ".join(part for part in (text, rates, clean(case.reason, 300)) if part)
        if case.verdict is Verdict.REGRESSED:
            test.result = [Failure(message, "regressed")]
        elif case.verdict in {Verdict.NOT_COMPARABLE, None}:
            test.result = [Error(message, str(case.verdict or "no verdict"))]
        elif case.verdict is Verdict.INCONCLUSIVE:
            test.result = [Skipped(message, "inconclusive")]
        else:
            test.system_out = message
        suite.add_testcase(test)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    return str(xml.tostring().decode())
