"""How often intervals cover the truth where trials are added until they are narrow: the table of docs/verdicts.md.

    python tests/proof/stopping.py [RUNS]

Each simulated run of one case draws trials from a normal distribution of ln(time), after the first rounds one by one, until
``bench.statistics.stopping.is_wide`` says no. In some runs the machine's pace drifts from round to round too (AR(1), with half of
the variance). Beside the rule stands Student's t as it is, stopped by its own width; and, since drift alone costs coverage, as many trials
drawn without looking.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from bench.statistics.rates import t_quantile
from bench.statistics.stopping import FEWEST_TRIALS, widening

SCATTERS = (0.01, 0.05, 0.10, 0.20)
WISHES = (0.02, 0.05, 0.10, 0.20)
FIRST = (3, 5)
DRIFTS = (0.3, 0.7)
"""Correlation of the pace of one round with that of the next."""
DRIFTING = (0.10, 0.05)
"""Scatter and wish of the rows with drift."""
MOST = 1500
SEED = 20261128


@dataclass(frozen=True)
class Found:
    """Shares of runs whose interval held the truth, and their mean number of trials."""

    covered: float
    as_it_stands: float  # stopped by Student's interval without the factor
    without_looking: float  # as many trials as the rule took, drawn anew, Student's t
    trials: float


def draws(runs: int, scatter: float, correlation: float, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield ln(time), less its true mean, of one trial after the other, (runs,) each."""
    rng = np.random.default_rng(seed)
    share = 0.5 if correlation else 0.0
    pace = rng.standard_normal(runs)
    while True:
        yield scatter * (np.sqrt(share) * pace + np.sqrt(1 - share) * rng.standard_normal(runs))
        pace = correlation * pace + np.sqrt(1 - correlation**2) * rng.standard_normal(runs)


def stopped(
    runs: int, scatter: float, within: float, first: int, correlation: float = 0.0, seed: int = SEED, factor: bool = True
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return of each run (runs,) whether its interval covers the truth, and how many trials it took.

    The rule is that of ``is_wide``, for all runs at once.
    """
    mean, squares = np.zeros(runs), np.zeros(runs)
    covered, took = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=np.int64)
    for n, drawn in enumerate(draws(runs, scatter, correlation, seed), 1):
        step = drawn - mean
        mean += step / n
        squares += step * (drawn - mean)
        if n < max(first, FEWEST_TRIALS):
            continue
        half = t_quantile(n - 1, 0.975) * np.sqrt(squares / (n - 1) / n) * (widening(n) if factor else 1.0)
        ends = (took == 0) & ((np.expm1(half) <= within) | (n == MOST))
        covered[ends], took[ends] = (np.abs(mean) <= half)[ends], n
        if took.all():
            return covered, took
    raise AssertionError("draws never end")


def unlooked(took: NDArray[np.int64], scatter: float, correlation: float, seed: int = SEED + 1) -> NDArray[np.bool_]:
    """Return whether Student's interval over so many trials (runs,), drawn without looking, covers the truth."""
    mean, squares, covered = np.zeros(len(took)), np.zeros(len(took)), np.zeros(len(took), dtype=bool)
    for n, drawn in enumerate(draws(len(took), scatter, correlation, seed), 1):
        step = drawn - mean
        mean += step / n
        squares += step * (drawn - mean)
        if n > 1:
            half = t_quantile(n - 1, 0.975) * np.sqrt(squares / (n - 1) / n)
            covered[took == n] = (np.abs(mean) <= half)[took == n]
        if n == took.max():
            return covered
    raise AssertionError("draws never end")


def coverage(runs: int, scatter: float, within: float, first: int, correlation: float = 0.0) -> Found:
    """Simulate so many runs. ``scatter`` is the standard deviation of ln(time), ``within`` a fraction."""
    covered, took = stopped(runs, scatter, within, first, correlation)
    plain, _ = stopped(runs, scatter, within, first, correlation, factor=False)
    blind = unlooked(took, scatter, correlation)
    return Found(float(covered.mean()), float(plain.mean()), float(blind.mean()), float(took.mean()))


def main() -> None:
    """Print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    places = [(scatter, within, first, 0.0) for first in FIRST for scatter in SCATTERS for within in WISHES]
    places += [(*DRIFTING, first, drift) for first in FIRST for drift in DRIFTS]
    rows = []
    for scatter, within, first, drift in places:
        if scatter / within > 5:  # hundreds of trials: nobody waits for them
            continue
        found = coverage(runs, scatter, within, first, drift)
        shares = (found.covered, found.as_it_stands, found.without_looking)
        rows.append(
            [
                *(first, f"{100 * scatter:g} %", f"{drift:g}", f"± {100 * within:g} %", f"{found.trials:.1f}"),
                *(f"{100 * share:.1f} %" for share in shares),
            ]
        )
    columns = (
        "first rounds", "scatter of trials", "drift", "wished for", "trials, mean", "covers the truth", "Student's t as it stands",
        "as many trials, no looking",
    )  # fmt: skip
    print(f"{runs:,} runs a row, seed {SEED}\n")
    print(tabulate(rows, headers=columns, tablefmt="github"))


if __name__ == "__main__":
    main()
