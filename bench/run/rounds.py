"""The rounds of a run: in which order each takes the cases, and which cases need another one."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator, Sequence

from bench.errors import NoFigure
from bench.record.figures import figure, standing, trials_of
from bench.record.schema import Case, Trial
from bench.run.journal import MOST_TRIES, Journal
from bench.run.plan import Plan

Judge = Callable[[Sequence[float], float], bool]
"""Whether a case needs another trial, from ln(seconds per item) of each so far and the half-width wished for, in percent. It is
``bench.statistics.stopping.is_wide``, which needs NumPy and is therefore handed in."""


def round_orders(cases: int, seed: int) -> Iterator[list[int]]:
    """Yield the cases of one round after the other, without end: every case once, so that drift hits all cases alike. Each two rounds have
    an order of their own, the second of them in reverse, so that over both of them every case comes as late as any other."""
    rng = random.Random(seed)
    order = list(range(cases))
    while True:
        rng.shuffle(order)
        yield list(order)
        order.reverse()
        yield list(order)


def ready(plan: Plan, journal: Journal, index: int) -> bool:
    """Whether trials of a case can be made: it is not skipped, and its pilot, if it has one, ran well."""
    pilot = journal.pilot(index)
    piloted = not plan.cases[index].case.how.pilot or (pilot is not None and pilot.blocks is not None)
    return piloted and not journal.skipped(index)


def brief(journal: Journal, index: int, number: int, among: int) -> bool:
    """Whether few images are enough to check a trial of a case: one of its first ``among`` trials is checked on many, each as likely as
    any other. Where that one comes to nothing, a later one takes its place. Nobody can know it before the trial has been timed."""
    made = trials_of(journal.trials, index)
    if any(standing(trial) in {"proven", "refuted"} and not trial.brief for trial in made):
        return True
    left = among - number
    return left > 1 and secrets.randbelow(left) > 0


def needs_more(plan: Plan, journal: Journal, index: int, judge: Judge) -> bool:
    """Whether a case gets a trial beyond the planned ones: its interval is wider than wished for, and a figure can still come."""
    if not (plan.within and ready(plan, journal, index)):
        return False
    times = _log_times(plan.cases[index].case, trials_of(journal.trials, index))
    try:
        return times is not None and judge(times, plan.within)
    except NoFigure:
        return False


def _log_times(case: Case, trials: Sequence[Trial]) -> list[float] | None:
    """What the report's rate will be made of; None where more trials cannot mend it."""
    standings = [standing(trial) for trial in trials]
    if "refuted" in standings or standings.count("failed") >= MOST_TRIES:
        return None
    counted = "proven" if "proven" in standings else "unchecked"
    try:
        return [figure(case, trial) for trial, found in zip(trials, standings, strict=True) if found == counted]
    except NoFigure:
        return None
