"""False alarms and power of ``bench check`` on simulated machines: the tables and the picture of docs/verdicts.md.

    python tests/proof/power.py [CHECKS] [--picture FILE]

Each check is a simulation of up to ten pairs of processes with process effects, autocorrelated blocks, drift and heavy spikes, on
some machines with what the order in turns does and a periodic disturbance too (tests/support/noise.py), judged by the functions
that ``bench check`` uses. Seeded: the same figures every time.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tabulate import tabulate

from bench.statistics.pairs import TO_BE_FOUND, Verdict
from bench.statistics.proportions import upper_limit
from tests.support.checks import Outcomes, many
from tests.support.noise import BLOCKS, ORDERED, PERIODIC, SPIKY, TYPICAL, UNEVEN, Machine, Stall

MACHINES: dict[str, tuple[Machine, int]] = {
    "typical": (TYPICAL, BLOCKS),
    "typical, 6 blocks": (TYPICAL, 6),
    "order in turns": (ORDERED, BLOCKS),
    "periodic": (PERIODIC, BLOCKS),
    "spiky processes": (SPIKY, BLOCKS),
    "uneven processes": (UNEVEN, BLOCKS),
}
SLOWDOWNS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10)
STALLS = (Stall(8, 2.0), Stall(5, 2.0), Stall(7, 3.0), Stall(20, 3.0))
BAD = ((0.05, 2.0), (0.1, 2.0), (0.2, 1.5), (0.5, 1.2))  # fraction of the candidate's processes, and how many times as long
CASES = (1, 2, 5, 10, 20)
JUDGED = (Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.PASS)
SEED = 20261124


def one(place: tuple[str, float, int]) -> Outcomes:
    name, slowdown, checks = place
    machine, blocks = MACHINES[name]
    return many(SEED, machine, slowdown, checks, blocks=blocks)


def one_stall(place: tuple[Stall, int]) -> Outcomes:
    return many(SEED, TYPICAL, 0.0, place[1], stall=place[0])


def one_bad(place: tuple[tuple[float, float], int]) -> Outcomes:
    (fraction, times), checks = place
    return many(SEED, Machine(bad_candidates=fraction, bad_times=times), 0.0, checks)


def one_count(place: tuple[int, float, int]) -> Outcomes:
    cases, slowdown, checks = place
    return many(SEED, TYPICAL, slowdown, checks, cases=cases, slower=1)


def main(checks: int, picture: Path | None) -> None:
    """Print the table; draw the picture."""
    places = [(name, slowdown, checks) for name, slowdown in product(MACHINES, SLOWDOWNS)]
    with ProcessPoolExecutor() as pool:
        found = dict(zip(places, pool.map(one, places), strict=True))
    rows = []
    for (name, slowdown, _), outcomes in found.items():
        alarms = outcomes.verdicts[Verdict.REGRESSED]
        rows.append(
            [
                name,
                f"{100 * outcomes.scatter:.1f} %",
                f"{100 * slowdown:g} %",
                f"{100 * alarms / checks:.2f} % (at most {100 * upper_limit(alarms, checks):.2f} %)",
                f"{100 * outcomes.fraction(Verdict.PASS):.1f} %",
                f"{100 * outcomes.fraction(Verdict.IMPROVED):.2f} %",
                f"{100 * outcomes.fraction(Verdict.INCONCLUSIVE):.1f} %",
                f"{outcomes.pairs:.1f}",
            ]
        )
    columns = ["machine", "scatter of pairs", "true slow-down", "regressed", "pass", "improved", "inconclusive", "pairs"]
    print(f"{checks:,} checks a row, up to 10 pairs of trials of {BLOCKS} blocks, seed {SEED}\n")
    print(tabulate(rows, columns, tablefmt="pipe", disable_numparse=True, colalign=["left", *["right"] * 7]))
    seldom_slower(checks // 5)
    many_cases(checks // 5)
    if picture is not None:
        draw(found, checks, picture)


def seldom_slower(checks: int) -> None:
    """Print what becomes of a candidate whose slow-down sits in few blocks, or in few processes."""
    with ProcessPoolExecutor() as pool:
        stalled = list(pool.map(one_stall, [(stall, checks) for stall in STALLS]))
        bad = list(pool.map(one_bad, [(place, checks) for place in BAD]))
    names = [f"one block in {stall.every} takes {stall.times:g} times as long" for stall in STALLS]
    names += [f"one process in {1 / fraction:g} takes {times:g} times as long" for fraction, times in BAD]
    slower = [stall.slowdown for stall in STALLS] + [fraction * (times - 1) for fraction, times in BAD]
    rows = [
        [name, f"{100 * slowdown:.1f} %", *(f"{100 * outcomes.fraction(verdict):.1f} %" for verdict in JUDGED)]
        for name, slowdown, outcomes in zip(names, slower, stalled + bad, strict=True)
    ]
    print(f"\nSlow-downs that sit in few blocks or processes; typical machine, {checks:,} checks a row\n")
    columns = ["candidate", "total time", *JUDGED]
    print(tabulate(rows, columns, tablefmt="pipe", disable_numparse=True, colalign=["left", *["right"] * 4]))


def many_cases(checks: int) -> None:
    """Print the curve over the number of cases: unchanged code, and one case of them that is slower by what must be found."""
    places = list(product(CASES, (0.0, TO_BE_FOUND), (checks,)))
    with ProcessPoolExecutor() as pool:
        found = dict(zip(places, pool.map(one_count, places), strict=True))
    rows = []
    for cases in CASES:
        same, slower = found[cases, 0.0, checks], found[cases, TO_BE_FOUND, checks]
        alarms, passes = same.verdicts[Verdict.REGRESSED], slower.verdicts[Verdict.PASS]
        rows.append(
            [
                str(cases),
                f"{100 * alarms / checks:.2f} % (at most {100 * upper_limit(alarms, checks):.2f} %)",
                *(f"{100 * same.fraction(verdict):.1f} %" for verdict in JUDGED[1:]),
                f"{100 * slower.fraction(Verdict.REGRESSED):.1f} %",
                f"{100 * passes / checks:.2f} % (at most {100 * upper_limit(passes, checks):.2f} %)",
            ]
        )
    print(f"\nWhole checks of several cases; typical machine, {checks:,} checks of each kind a row\n")
    columns = [
        "cases",
        *(f"unchanged: {verdict}" for verdict in JUDGED),
        "one 5 % slower: regressed",
        "one 5 % slower: pass",
    ]
    print(tabulate(rows, columns, tablefmt="pipe", disable_numparse=True, colalign=["right"] * 6))


def draw(found: dict[tuple[str, float, int], Outcomes], checks: int, file: Path) -> None:
    """The power curves as an SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "accelbench"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))
    for name in MACHINES:
        points = [(100 * slowdown, found[name, slowdown, checks].fraction(Verdict.REGRESSED)) for slowdown in SLOWDOWNS]
        scatter = found[name, 0.0, checks].scatter
        axes.plot(*zip(*points, strict=True), marker="o", label=f"{name}: pairs scatter by {100 * scatter:.1f} %")
    axes.axvspan(0, 2, alpha=0.1, color="gray")
    axes.text(0.1, 0.9, "tolerated", fontsize=8)
    axes.axhline(0.8, linewidth=0.5, color="gray")
    axes.set(xlabel="true slow-down, %", ylabel="fraction of checks that say regressed", ylim=(0, 1.02))
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    words = sys.argv[1:]
    target = Path(words[words.index("--picture") + 1]) if "--picture" in words else None
    numbers = [word for word in words if word.isdigit()]
    main(int(numbers[0]) if numbers else 10_000, target)
