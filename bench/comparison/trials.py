"""Trials made ready to be held against each other: which of them count, and in pairs that took turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.record.figures import samples, standing, steady_samples
from bench.record.schema import Case, Trial
from bench.statistics.pairs import Effect, Verdict, effect_of, judge_pairs, mean_effect, pair_difference, total_difference

TURN_SECONDS = 0.4
"""How long single-stream queries of one process last before the other's turn comes."""


@dataclass(frozen=True)
class Usable:
    """The trials of one case that ran and were proven, and what became of the others."""

    trials: tuple[Trial, ...]
    failed: int = 0
    unproven: int = 0
    moving: int = 0  # of the usable ones, those that still became faster
    trouble: str = ""  # what is wrong with the others

    def __add__(self, other: Usable) -> Usable:
        return Usable(
            self.trials + other.trials,
            self.failed + other.failed,
            self.unproven + other.unproven,
            self.moving + other.moving,
            self.trouble or other.trouble,
        )


def usable(trials: Sequence[Trial]) -> Usable:
    """Return the trials of one case that may be compared, and count the others; pilots are not trials."""
    good, failed, unproven, trouble = [], 0, 0, ""
    for trial in trials:
        refuted = [check.name for check in trial.checks if not check.passed]
        found = standing(trial)
        if found == "failed":
            failed += 1
            trouble = trouble or f"a trial {trial.status}: {trial.reason}"
        elif found != "proven":
            unproven += 1
            trouble = trouble or f"a trial could not be proven: {', '.join(refuted) or 'no check was made'}"
        else:
            good.append(trial)
    moving = sum(trial.steady == "moving" for trial in good)
    return Usable(tuple(good), failed, unproven, moving, trouble if trials else "nothing was measured")


@dataclass(frozen=True)
class Paired:
    """The log ratio of each pair of one case, and that of the pair's total times."""

    differences: list[float]
    totals: list[float]

    def effects(self, level: float, pass_level: float | None = None) -> tuple[Effect, Effect, Effect]:
        """Return the effect on a typical process, where blocks and pairs are trimmed; that on total times, where no block is left out;
        and the mean over pairs, where no pair is. Raises NoFigure."""
        return (
            effect_of(self.differences, level, pass_level),
            effect_of(self.totals, level, pass_level),
            mean_effect(self.differences, level, pass_level),
        )

    def verdict(self, level: float, pass_level: float | None = None) -> Verdict:
        """The verdict at these one-sided error levels, of *regressed* and of *pass* (None: the same). Raises NoFigure."""
        return judge_pairs(*self.effects(level, pass_level))


def paired(case: Case, base: Sequence[Trial], candidate: Sequence[Trial]) -> Paired:
    """Every pair whose two trials are both here; a pair is two trials of one number. Raises NoFigure."""
    found = Paired([], [])
    for one, two in matched(base, candidate):
        blocks = turns(case, one), turns(case, two)
        if case.how.per_query:  # of as many queries, the slower side's last turns had no neighbour
            shorter = min(map(len, blocks))
            if shorter > 1:
                shorter -= shorter % 2  # either arm began as many rounds
            blocks = blocks[0][:shorter], blocks[1][:shorter]
        found.differences.append(pair_difference(*blocks))
        found.totals.append(total_difference(*blocks))
    return found


def matched(base: Sequence[Trial], candidate: Sequence[Trial]) -> Iterator[tuple[Trial, Trial]]:
    """Trials of equal numbers, in the base's order."""
    others = {trial.number: trial for trial in candidate}
    return ((trial, others[trial.number]) for trial in base if trial.number in others)


def turns(case: Case, trial: Trial) -> list[float]:
    """Seconds of each steady turn: a sample, or in single-stream the mean query of each turn."""
    if not case.how.per_query:
        return steady_samples(trial)
    found: list[float] = []
    begun, spent = 0, 0.0
    for end, seconds in enumerate(samples(trial), 1):
        spent += seconds
        if spent >= TURN_SECONDS:
            if begun >= trial.warmup:
                found.append(spent / (end - begun))
            begun, spent = end, 0.0
    # Too short for whole turns: all of it is one.
    steady = steady_samples(trial)
    return found or [sum(steady) / max(len(steady), 1)]
