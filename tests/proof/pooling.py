"""How often the interval of a pooled rate covers the truth: the table of docs/how-a-number-is-made.md.

    python tests/proof/pooling.py [REPETITIONS]

Records differ by 4.3 % beyond the scatter of their trials, as checks of unchanged code did on the machine of traces.json. Each repetition draws
records of three trials from normal distributions of ln(time), and pools them as reports do (``bench.statistics.rates.pooled_rate``), beside
the rule that takes all trials for independent.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from tabulate import tabulate

from bench.statistics.rates import LogRate, log_rate, pooled_rate

BETWEEN = 0.043
"""Standard deviation of ln(time) between records."""
WITHIN = (0.02, 0.04)
RECORDS = (1, 2, 3, 5, 10)
TRIALS = 3
SEED = 20261128
TRUTH = 100.0
"""Images per second."""


def covered(log: LogRate, truth: float = TRUTH) -> bool:
    """Whether the interval holds the true rate."""
    found = log.estimate()
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def coverage(
    records: int, within: float, repetitions: int, between: float = BETWEEN, seed: int = SEED
) -> tuple[float, float, float]:
    """Return how often the interval covers: pooled by records, as if trials were independent, and the former's median half-width in percent."""
    rng = np.random.default_rng(seed)
    places = [(f"r{record:03d}", trial) for record in range(records) for trial in range(TRIALS)]
    kept, naive, widths = 0, 0, []
    for _ in range(repetitions):
        sessions = between * rng.standard_normal((records, 1)) + within * rng.standard_normal((records, TRIALS))
        logs = (-np.log(TRUTH) + sessions).ravel().tolist()
        found = pooled_rate(places, logs)
        kept += covered(found)
        naive += covered(log_rate(logs))
        high = found.estimate().high
        widths.append(100 * ((high or np.inf) / found.rate - 1))
    return kept / repetitions, naive / repetitions, float(np.median(widths))


def main() -> None:
    """Print the table."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rows = []
    for within in WITHIN:
        for records in RECORDS:
            kept, naive, width = coverage(records, within, repetitions)
            rows.append((f"{100 * within:g} %", records, f"{100 * kept:.1f} %", f"{100 * naive:.1f} %", f"± {width:.1f} %"))
    columns = (
        "trials of a record scatter by",
        "records of three trials",
        "covers the truth",
        "if trials were independent",
        "half-width, median",
    )
    print(f"{repetitions:,} repetitions a row, records differ by {100 * BETWEEN:g} %, seed {SEED}\n")
    print(tabulate(rows, headers=columns, tablefmt="github"))


if __name__ == "__main__":
    main()
