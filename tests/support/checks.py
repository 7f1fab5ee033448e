"""Simulated checks, judged by the very functions that ``bench check`` uses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from bench.comparison.trials import Paired
from bench.statistics.pairs import Look, Verdict, pair_difference, plan_looks, total_difference
from tests.support.noise import BLOCKS, Array, Machine, Stall, simulate


@dataclass(frozen=True)
class Outcomes:
    """Of many checks."""

    checks: int
    verdicts: Counter[Verdict]
    pairs: float  # mean number until decided
    scatter: float  # of d over pairs

    def fraction(self, verdict: Verdict) -> float:
        return self.verdicts[verdict] / self.checks


def judged(times: Array, looks: tuple[Look, ...]) -> tuple[Verdict, int, list[float]]:
    """The verdict of one check, the pairs it took, and every pair's d."""
    differences = [pair_difference(list(base), list(candidate)) for base, candidate in times]
    totals = [total_difference(list(base), list(candidate)) for base, candidate in times]
    for look in looks:
        verdict = Paired(differences[: look.pairs], totals[: look.pairs]).verdict(look.level)
        if verdict is not Verdict.INCONCLUSIVE:
            return verdict, look.pairs, differences
    return Verdict.INCONCLUSIVE, looks[-1].pairs, differences


def many(
    seed: int,
    machine: Machine,
    slowdown: float,
    checks: int,
    most_pairs: int = 10,
    blocks: int = BLOCKS,
    stall: Stall | None = None,
) -> Outcomes:
    """So many independent checks."""
    rng = np.random.default_rng([seed, round(slowdown * 1e6)])
    looks = plan_looks(most_pairs)
    verdicts: Counter[Verdict] = Counter()
    pairs, differences = 0, []
    for _ in range(checks):
        times = simulate(rng, machine, most_pairs, slowdown, blocks)
        verdict, used, own = judged(times if stall is None else stall.on(rng, times), looks)
        verdicts[verdict] += 1
        pairs += used
        differences.append(own)
    return Outcomes(checks, verdicts, pairs / checks, float(np.std(differences)))
