"""How near each case comes to what its device has shown, and which of the ceilings binds it.

A step can take no less than each of its needs takes at the ceiling's rate (the roofline of Williams, Waterman and Patterson,
CACM 52:4, 2009, with copying added), so the nearest ceiling is the one that binds. Below half of every one the time goes
elsewhere: launching, synchronising, shapes too small to fill the device, kernels slower than the device's best, work that no
ceiling counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis.model import MeasuredCase, Report
from bench.durations import number
from bench.report import cells
from bench.text.sections import cut
from bench.text.words import plural

BINDS_FROM = 0.5
"""A ceiling of which less is reached does not bind."""
UNBOUND = "no ceiling binds."
IN_CACHES = 1.1
"""Beyond this share of memory's ceiling, which has an error too, what would have to be read must have been in caches."""
NONE = "none"
ADDS_UP = 0.75
"""Of so many times what one core decodes, for cores to be what is short."""


def shares(case: MeasuredCase) -> dict[str, float]:
    """The shares of the measured ceilings that are known of a case, the nearest first."""
    known = {"arithmetic": case.of_ceiling, "memory": case.of_memory, "copying": case.of_copying}
    found = {name: share for name, share in known.items() if share is not None}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def nearest(case: MeasuredCase) -> tuple[str, float] | None:
    """The ceiling that a case comes nearest to, and its share; not memory where caches must have held the data."""
    return next(((name, share) for name, share in shares(case).items() if name != "memory" or share <= IN_CACHES), None)


def bound_by(case: MeasuredCase) -> str | None:
    """``arithmetic``, ``memory`` or ``copying``; ``none`` below half of each; None where no ceiling was measured."""
    found = nearest(case)
    if found is None:
        return None
    name, share = found
    return name if share >= BINDS_FROM else NONE


def percent(share: float) -> str:
    """``61 %``, in one piece."""
    return cells.whole(f"{number(100 * share, 2)} %")


def binding_lines(report: Report) -> list[str]:
    """A sentence per case, then what its words mean."""
    lines = [*_devices(report), *_cores(report)]
    if any(line.endswith(UNBOUND) for line in lines):
        lines.append(
            "Below half of every ceiling the time goes to launching and synchronising, to shapes too small to fill the device, to "
            "kernels slower than its best, or to work that no ceiling counts."
        )
    return lines


def _devices(report: Report) -> tuple[str, ...]:
    lines = []
    for case in report.measured:
        bound = bound_by(case)
        if bound is not None:
            reached = ", ".join(f"{percent(share)} of {name}" for name, share in shares(case).items())
            caches = " (from caches, in part)" if (case.of_memory or 0.0) > IN_CACHES else ""
            phase = case.key.how.title
            end = UNBOUND if bound == NONE else f"{bound} binds."
            place = cells.with_machine(cells.place(case), case, report)
            lines.append(f"{place}, {phase}, {cells.setting(case)}: {reached}{caches}: {end}")
    return cut(lines)


def _cores(report: Report) -> Iterator[str]:
    """Decoding with several cores, held against as many times what one core does."""
    decoding = [case for case in report.measured if case.key.how.projected == "decoding" and case.log is not None]
    one = {_alike(case): case.log.rate for case in decoding if case.log is not None and case.key.cores == 1}
    for case in decoding:
        cores, single = case.key.cores, one.get(_alike(case))
        if cores > 1 and single is not None and case.log is not None:
            share = case.log.rate / (cores * single)
            end = "cores bind." if share >= ADDS_UP else "more cores add little."
            where = cells.with_machine("host", case, report)
            yield f"{where}, preprocess, {plural(cores, 'core')}: {percent(share)} of {cores:,} times what one decodes: {end}"


def _alike(case: MeasuredCase) -> object:
    return case.key._replace(cores=1, stack=case.key.stack._replace(environment=""))
