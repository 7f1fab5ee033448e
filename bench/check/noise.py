"""How much this machine's measurements scatter: unchanged code against itself, in pairs, for a given time."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np

from bench.check.gate import Say, measured
from bench.comparison.trials import matched, paired
from bench.errors import InconclusiveError, NotComparableError
from bench.record.figures import figure, steady_samples
from bench.record.labels import ARMS
from bench.record.schema import Trial
from bench.run.arms import PairedCase, Pairs, start_arm
from bench.run.interruption import interruptible
from bench.run.lock import locked
from bench.run.plan import Wishes
from bench.run.progress import Progress
from bench.run.remembered import Remembered
from bench.run.scratch import scratch
from bench.run.session import make_plan
from bench.statistics.effort import samples_per_trial, variation
from bench.statistics.pairs import LOOKS, detectable_with, plan_looks

FEWEST = 4

SHORTEST, LONGEST = 2.0, 10.0
"""Seconds of steady state in a trial of a check: shorter ones cost more in starting than they save, longer ones leave no pairs."""


class Known(msgspec.Struct, frozen=True):
    """What is kept of a case for later checks on this machine."""

    scatter: Annotated[float, msgspec.Meta(ge=0, le=10)]
    best_seconds: Annotated[float, msgspec.Meta(gt=0)]


NOISE = Remembered("noise", msgspec.json.Decoder(dict[str, Known]))
"""What ``bench doctor`` has measured on this machine, by the case's identity."""


@dataclass(frozen=True)
class Noise:
    """How much the measurements of one case scatter. Scatters are standard deviations of ln(time)."""

    identity: str  # of the case
    label: str
    pairs: int
    pair_seconds: float
    scatter: float  # of d over pairs
    apart: float  # between two processes that did not take turns
    samples: int  # per trial, for the narrowest interval in a given time
    best_seconds: float  # of steady state, the same
    detectable: dict[int, float]  # slow-down, by pairs


def measure_noise(wishes: Wishes, seconds: float, wait: bool, quiet: bool, say: Say) -> list[Noise]:
    """Pairs of the present environment with itself for about ``seconds``; kept for later checks on this machine.

    Raises InconclusiveError where the time is too short to tell anything, NotComparableError where nothing can be measured.
    """
    begun = time.monotonic()
    plan = make_plan(wishes, {})
    with (
        scratch() as folder,
        locked([planned.physical for planned in plan.cases], wait),
        interruptible(),
        Progress(None, quiet) as progress,
    ):
        say(f"measuring this machine's noise for about {seconds:.0f} s …")
        arms = [start_arm(name, sys.executable, plan, folder, progress) for name in ARMS]
        pairs = Pairs(arms, progress, wishes.seed)
        cases = pairs.pilots()
        if not cases:
            reasons = [trial.reason for trial in arms[0].runner.journal.trials if trial.reason]
            raise NotComparableError(f"nothing could be measured: {'; '.join(reasons[:1]) or 'no case'}")
        number = 0
        while number < 2 or time.monotonic() - begun + sum(pairs.seconds.values()) < seconds:
            for case in cases[:: -1 if number % 2 else 1]:
                pairs.measure(case, number)
            number += 1
        found = [_noise(pairs, case) for case in cases]
    if number < FEWEST:
        raise InconclusiveError(
            f"{seconds:.0f} s were enough for {number} pairs only, {FEWEST} tell something: give --budget more, or name one --backend "
            "and --device; what else runs here is above"
        )
    NOISE.remember(plan.machine.fingerprint, {noise.identity: Known(noise.scatter, noise.best_seconds) for noise in found})
    return found


def _noise(pairs: Pairs, case: PairedCase) -> Noise:
    planned, base, candidate = measured(pairs, case)
    both = list(matched(base, candidate))
    differences = paired(planned, base, candidate).differences
    if len(differences) < 2:
        raise NotComparableError(f"{case.label}: too few trials could be used; bench run shows what is wrong")
    logs = np.array([[figure(planned, one), figure(planned, two)] for one, two in both])
    # The base of one pair against the candidate of the next: what a comparison without turns would see.
    apart = float((logs[1:, 1] - logs[:-1, 0]).std(ddof=1)) if len(logs) > 2 else math.nan
    scatter = float(np.std(differences, ddof=1))
    each = pairs.seconds[case.identity]
    sample = float(np.mean([np.mean(steady_samples(two)) for _, two in both]))
    ratios = [
        [after / before for before, after in zip(steady_samples(one), steady_samples(two), strict=True)] for one, two in both
    ]
    best = samples_per_trial(variation(ratios), 2 * sample, _fixed(each, [two for _, two in both]))
    return Noise(
        identity=case.identity,
        label=case.label,
        pairs=len(differences),
        pair_seconds=each,
        scatter=scatter,
        apart=apart,
        samples=best,
        best_seconds=best * sample,
        detectable={count: detectable_with(count, scatter, plan_looks(count)[-1].level) for count in LOOKS[:6]},
    )


def _fixed(pair_seconds: float, trials: list[Trial]) -> float:
    """Seconds of a pair that do not grow with its samples."""
    return max(pair_seconds - 2 * float(np.mean([sum(steady_samples(trial)) for trial in trials])), 0.1)


def trial_seconds(known: Mapping[str, Known], cases: Sequence[str]) -> float | None:
    """Steady state for the trials of these cases, by what was measured of each; None unless all are known."""
    if not cases or not set(cases) <= set(known):
        return None
    return min(max(SHORTEST, *(known[case].best_seconds for case in cases)), LONGEST)
