"""False alarms and power of ``bench history --last K`` on simulated series of nights: a table of docs/verdicts.md.

    python tests/proof/nights.py [SERIES]

Each series is a machine with good and bad weeks, AR(1) of a given autocorrelation (tests/support/nights.py), looked at after every
record by the functions that ``bench history`` uses. Seeded: the same figures every time.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from tabulate import tabulate

from bench.comparison.history import Line, Point, changes_in
from bench.statistics.monitoring import ALARM_RATE, NIGHTS, lasting_shifts
from bench.statistics.pairs import Verdict
from bench.statistics.proportions import upper_limit
from tests.support.nights import alarm_rate, autoregressive

AUTOCORRELATIONS = (0.0, 0.3, 0.5, 0.7, 0.9)
DEVIATIONS = (0.01, 0.03)
SLOWDOWNS = (0.05, 0.10, 0.20)
WITHIN = 7
LAST = 5
SEED = 20261128


def one(place: tuple[float, float, bool, int, int]) -> int:
    autocorrelation, deviation, bad, nights, count = place
    return alarm_rate(SEED, count, deviation, autocorrelation, bad, nights)


def one_slower(place: tuple[float, float, float, int]) -> int:
    """How many series that become slower after 30 nights raise an alarm within a week."""
    autocorrelation, deviation, slowdown, count = place
    rng = np.random.default_rng([SEED, round(1e3 * autocorrelation), round(1e6 * deviation), round(1e3 * slowdown)])
    found = 0
    for _ in range(count):
        values = autoregressive(rng, 30 + WITHIN, deviation, autocorrelation)
        values[30:] += np.log1p(slowdown)
        found += any(shift.log_ratio > 0 and shift.at >= 28 for shift in lasting_shifts(values))
    return found


def one_judged(place: tuple[float, float, int]) -> int:
    """How many unchanged series of 40 nights are inconclusive for ``--last``."""
    autocorrelation, deviation, count = place
    rng = np.random.default_rng([SEED, round(1e3 * autocorrelation), round(1e6 * deviation), LAST])
    series = [autoregressive(rng, NIGHTS, deviation, autocorrelation).tolist() for _ in range(count)]
    lines = [Line("", "", tuple(Point("", "", "", value) for value in values), changes_in(values)) for values in series]
    return sum(line.judged(LAST)[0] is Verdict.INCONCLUSIVE for line in lines)


def main(count: int) -> None:
    """Print the table."""
    wheres = list(product(AUTOCORRELATIONS, DEVIATIONS))
    kinds = ((False, NIGHTS), (True, NIGHTS), (False, 365))
    places = [(*where, *kind, count if kind[1] == NIGHTS else count // 10) for where in wheres for kind in kinds]
    slower = list(product(AUTOCORRELATIONS, DEVIATIONS, SLOWDOWNS, (count // 10,)))
    with ProcessPoolExecutor() as pool:
        raised = dict(zip(places, pool.map(one, places), strict=True))
        found = dict(zip(slower, pool.map(one_slower, slower), strict=True))
        undecided = dict(zip(wheres, pool.map(one_judged, [(*where, count // 10) for where in wheres]), strict=True))
    rows = []
    for autocorrelation, deviation in wheres:
        cells = []
        for kind in kinds:
            series = count if kind[1] == NIGHTS else count // 10
            alarms = raised[autocorrelation, deviation, *kind, series]
            cells.append(f"{100 * alarms / series:.1f} % (at most {100 * upper_limit(alarms, series):.1f} %)")
        power = [f"{100 * found[autocorrelation, deviation, slow, count // 10] / (count // 10):.0f} %" for slow in SLOWDOWNS]
        cells.append(f"{100 * undecided[autocorrelation, deviation] / (count // 10):.0f} %")
        rows.append([f"{autocorrelation:g}", f"{100 * deviation:g} %", *cells, *power])
    columns = [
        "autocorrelation", "nights scatter by", f"alarms in {NIGHTS} nights", "with bad nights", "in 365 nights", f"`--last {LAST}` cannot tell",
        *(f"{100 * slow:g} % slower: found in a week" for slow in SLOWDOWNS),
    ]  # fmt: skip
    print(
        f"{count:,} series of unchanged code a row, a tenth of them for a year and for each slow-down; seed {SEED}; stated: {100 * ALARM_RATE:g} %\n"
    )
    print(tabulate(rows, columns, tablefmt="pipe", disable_numparse=True, colalign=["right"] * len(columns)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
