"""On which proof each figure stands: checks in its own precision, or of the same lowering in a sharper one."""

from __future__ import annotations

from bench.analysis.model import MeasuredCase, Report
from bench.record.checks import sharper_precision
from bench.report import cells
from bench.text.sections import Section, cut
from bench.text.words import clean, plural


def proof(case: MeasuredCase) -> str:
    """``proven in fp32``; ``proven in fp32 by the same lowering; in bf16 2 checks cannot be judged``; ``not proven``."""
    if case.broken or not case.passed:
        return "not proven"
    own = clean(case.key.precision, 20)
    if not case.unjudged:
        return f"proven in {own}" if own else "proven"
    hidden = f"{plural(len(case.unjudged), 'check')} cannot be judged"
    if case.proven_in == case.key.precision:
        return f"proven in {own}; {hidden}" if own else f"proven; {hidden}"
    return f"proven in {clean(case.proven_in, 20)} by the same lowering; in {own} {hidden}"


def checks(case: MeasuredCase) -> str:
    """``5 passed in bf16``; how many say nothing, how many passed in a sharper precision; or which failed with what was found."""
    if case.broken:
        return f"failed: {'; '.join(clean(name, 80) for name in case.broken)}"
    sharper = [name for name in case.passed if sharper_precision(name)]
    own = clean(case.key.precision, 20)
    text = f"{len(case.passed) - len(sharper)} passed{f' in {own}' if own else ''}"
    if case.unjudged:
        text += f", {len(case.unjudged)} not judged"
    elif not case.passed:
        return "none"
    return f"{len(sharper)} passed in {clean(case.proven_in, 20)} by the same lowering; {text}" if sharper else text


def proof_section(report: Report) -> Section:
    """Every case of which a check could not be judged: which checks, and on which proof its figure stands."""
    lines = [
        f"{cells.named(case, report)}, {case.key.how.title}: {proof(case)} ({', '.join(clean(name, 60) for name in case.unjudged)})."
        for case in (*report.measured, *report.to_quality)
        if case.unjudged
    ]
    return Section("On which proof these figures stand", None, cut(lines))
