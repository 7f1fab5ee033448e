"""What a comparison finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import ExitCode
from bench.statistics import Effect, Verdict

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
class Figures:
    """What a verdict is judged by."""

    effect: Effect
    level: float  # one-sided error at either end of the interval
    method: str  # "pairs", "sessions", "trials"
    detectable: float | None  # the smallest slow-down this would have found, as a fraction


@dataclass(frozen=True)
class CaseComparison:
    """One case on both sides. ``verdict`` None: an effect, but nothing to judge it by."""

    label: str
    verdict: Verdict | None
    figures: Figures | None
    reason: str  # why there is no verdict, or none that decides
    stages: tuple[StageChange, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Every case of two groups of records."""

    base: str  # for people
    candidate: str
    cases: tuple[CaseComparison, ...]
    differences: tuple[str, ...]  # facts that differ and may
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """The gravest of any case; None where no case has one."""
        return gravest([case.verdict for case in self.cases if case.verdict is not None])

    @property
    def exit_code(self) -> ExitCode:
        """What the gravest verdict means to a shell."""
        return ExitCode.OK if self.verdict is None else _CODES.get(self.verdict, ExitCode.OK)


def gravest(verdicts: Sequence[Verdict]) -> Verdict | None:
    """A regression outweighs what could not be compared, that what could not be decided, and that a pass."""
    return min(verdicts, key=_GRAVEST.index, default=None)
