"""Simulated checks, judged by the very functions that ``bench check`` uses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from bench.comparison.model import gravest
from bench.comparison.trials import Paired
from bench.statistics.pairs import Look, Verdict, pair_difference, plan_looks, total_difference
from tests.support.noise import BLOCKS, Array, Machine, Stall, simulate


@dataclass(frozen=True)
class Outcomes:
    """Of many checks."""

    checks: int
    verdicts: Counter[Verdict]  # of whole checks
    pairs: float  # mean number until decided, of a case
    scatter: float  # of d over pairs

    def fraction(self, verdict: Verdict) -> float:
        return self.verdicts[verdict] / self.checks


def judged(times: Array, looks: tuple[Look, ...]) -> tuple[Verdict, int, list[float]]:
    """The verdict of one case, the pairs it took, and every pair's d."""
    differences = [pair_difference(list(base), list(candidate)) for base, candidate in times]
    totals = [total_difference(list(base), list(candidate)) for base, candidate in times]
    for look in looks:
        verdict = Paired(differences[: look.pairs], totals[: look.pairs]).verdict(look.level, look.pass_level)
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
    cases: int = 1,
    slower: int | None = None,
) -> Outcomes:
    """So many independent checks of ``cases`` each, of which all, or ``slower`` of them, are slower by ``slowdown``."""
    rng = np.random.default_rng([seed, round(slowdown * 1e6)])
    looks = plan_looks(most_pairs, cases)
    verdicts: Counter[Verdict] = Counter()
    pairs, differences = 0, []
    for _ in range(checks):
        of_cases = []
        for case in range(cases):
            changed = slowdown if slower is None or case < slower else 0.0
            times = simulate(rng, machine, most_pairs, changed, blocks)
            verdict, used, own = judged(times if stall is None else stall.on(rng, times), looks)
            of_cases.append(verdict)
            pairs += used
            differences.append(own)
        whole = gravest(of_cases)
        assert whole is not None
        verdicts[whole] += 1
    return Outcomes(checks, verdicts, pairs / checks / cases, float(np.std(differences)))
