"""What a comparison finds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.durations import number
from bench.errors import ExitCode
from bench.statistics.pairs import Effect, Verdict

_GRAVEST = (Verdict.REGRESSED, Verdict.NOT_COMPARABLE, Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.IMPROVED)
_CODES = {
    Verdict.REGRESSED: ExitCode.REGRESSED,
    Verdict.NOT_COMPARABLE: ExitCode.NOT_COMPARABLE,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}


@dataclass(frozen=True)
class StageChange:
    """One stage, or a peak of memory, on both sides: the geometric means over trials."""

    name: str  # "import", "compile", "steady", "host memory", …
    base: float  # seconds, or bytes
    candidate: float
    moved: bool  # by more than 5 %, and further than trials scatter


@dataclass(frozen=True)
class Absolute:
    """What both sides did, beside their ratio: the geometric means over trials."""

    base: float
    candidate: float
    unit: str  # "images/s", "MP/s"; "s" of trainings to a target


@dataclass(frozen=True)
class Figures:
    """What a verdict is judged by."""

    effect: Effect
    level: float  # one-sided error at the lower end of the interval, of "regressed"
    pass_level: float  # the same at the upper end, of "pass"
    method: str  # "pairs", "sessions"; without a verdict "records", "trials"
    detectable: float | None  # the smallest slow-down this would have found, as a fraction
    total: Effect | None = None  # of pairs: on total times, where no block is left out; pairs are trimmed
    mean: Effect | None = None  # of pairs: the mean over all of them, where no pair is left out; blocks are trimmed


@dataclass(frozen=True)
class CaseComparison:
    """One case on both sides. ``verdict`` None: an effect, but nothing to judge it by."""

    label: str
    verdict: Verdict | None
    figures: Figures | None
    reason: str  # why there is no verdict, or none that decides
    stages: tuple[StageChange, ...] = ()
    absolute: Absolute | None = None


@dataclass(frozen=True)
class Comparison:
    """Every case of two groups of records."""

    base: str  # for people
    candidate: str
    cases: tuple[CaseComparison, ...]
    differences: tuple[str, ...]  # facts that differ and may
    notes: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()  # cases that were asked for and not measured, each with its reason

    @property
    def verdict(self) -> Verdict | None:
        """The gravest verdict of any case; None where no case has one."""
        return gravest([case.verdict for case in self.cases if case.verdict is not None])

    def of_candidate(self) -> Comparison:
        """The same without cases that only the base has: nobody asked for them now. How many is noted."""
        own = tuple(case for case in self.cases if case.reason != not_measured(self.candidate))
        left_out = len(self.cases) - len(own)
        note = f"{left_out} cases of {self.base} were not measured now, and are left out."
        return replace(self, cases=own, notes=(*self.notes, note)) if left_out else self

    def gated(self) -> Comparison:
        """The same for a gate, where a case without a verdict, or one that was asked for and skipped, is no pass."""
        cases = [replace(case, verdict=Verdict.NOT_COMPARABLE) if case.verdict is None else case for case in self.cases]
        cases += [CaseComparison(what, Verdict.NOT_COMPARABLE, None, f"skipped: {reason}") for what, reason in self.skipped]
        return replace(self, cases=tuple(cases), skipped=())

    @property
    def exit_code(self) -> ExitCode:
        """What the gravest verdict means to a shell."""
        return ExitCode.OK if self.verdict is None else _CODES.get(self.verdict, ExitCode.OK)


def not_measured(where: str) -> str:
    """Why a case that only one side has cannot be compared."""
    return f"not measured in {where}"


def percent(log_ratio: float) -> str:
    """``+4.8 %``: a logarithmic ratio of times as the change that it is; from ten times on as ``44 times``."""
    ratio = math.exp(min(log_ratio, 50.0))
    return f"{100 * (ratio - 1):+.1f} %" if ratio < 10 else f"{number(ratio, 2 if ratio < 100 else 3)} times"


def gravest(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return the gravest verdict: regressed, then not comparable, inconclusive, pass, improved; None of none."""
    return min(verdicts, key=_GRAVEST.index, default=None)
