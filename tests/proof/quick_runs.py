"""Proof that a rebuilding costs no speed: quick runs of an earlier commit and of this working tree in turns, case by case.

    python tests/proof/quick_runs.py [PAIRS] [--at-once] [--commit COMMIT] [--before FOLDER] [--after FOLDER] [--keep FOLDER]
                                     [-- OPTION ...]

On an otherwise idle machine. A pair is a run of each side, one after the other; which comes first alternates. With ``--at-once`` both
sides of a pair run at the same time, on a core each, which they exchange from pair to pair: on a virtual machine whose pace drifts,
a pair's difference then scatters less. Each side runs in
its own environment, and its own ``bench report --format json`` says what its records hold, since their schema may differ. A pair's
difference is the logarithm of the ratio of its two rates; over pairs they are judged as ``bench check`` judges its own
(``bench/statistics/pairs.py``, docs/verdicts.md): 2 % is tolerated, 5 % must be found, and a false alarm in the whole table has a
probability of at most 2 %. Runs that follow each other scatter more than processes that take turns block by block, so few pairs
answer *inconclusive* rather than *pass*: of 8 cases, those pass whose pairs scatter by 1.3 % or less with 4 pairs, by 2.8 % with 8
and by 4.4 % with 12. What would have been found four times in five stands beside each verdict. Then the parent's CPU use
during trials and the CPU time of a start, of either side. Exit code 1 where a case has regressed.

OPTIONs go to ``bench run``. Batch sizes are fixed and no other ways are searched, since what pilots choose may differ from run to
run, and then there is no pair.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tabulate import tabulate

from bench.statistics.pairs import ERROR_LEVEL, Effect, detectable, effect_of, judge
from bench.statistics.rates import NoFigure
from tests.benchmarks.parent_cost import parent_cost
from tests.benchmarks.start_up import COMMANDS, RUNS, cpu_seconds, said
from tests.proof.checkouts import BEFORE, Checkout, checkout_in, checkout_of, working_tree

QUICK = ("run", "--quick", "--quiet", "--wait", "--batch-size", "64", "--no-search")
SIDES = ("before", "after")
FINISHED = ("0", "6")
"""Exit codes of a run that left a record: whole, or without some cases."""

NO_INTERVAL = 4.0
"""From the low to the high end of an interval, times: more tells nothing about speed."""

Rates = dict[str, float]
"""Items per second by case."""


@dataclass(frozen=True)
class Judged:
    """A case over all pairs in which both sides measured it."""

    case: str
    rate: float  # of the earlier commit, items/s, the median over pairs
    pairs: int
    effect: Effect | None  # of ln(time after / time before); None with fewer than two pairs

    def row(self, level: float) -> list[str]:
        """Cells: the case, its rate, the ratio of rates, the verdict, and what would have been found."""
        if self.effect is None:
            return [self.case, f"{self.rate:,.4g}", "–", str(self.pairs), "inconclusive", "–"]
        ratio, low, high = (math.exp(-log) for log in (self.effect.log_ratio, self.effect.high, self.effect.low))
        found = detectable(self.effect.standard_error, self.effect.degrees_of_freedom, level)
        figures = f"{ratio:.3f} ({low:.3f} to {high:.3f})" if high < NO_INTERVAL * low else f"{ratio:.3f} (says nothing)"
        return [
            self.case,
            f"{self.rate:,.4g}",
            figures,
            str(self.pairs),
            self.verdict,
            f"{100 * found:.0f} %" if found < 1 else "–",
        ]

    @property
    def verdict(self) -> str:
        """What the gate's rule says."""
        return "inconclusive" if self.effect is None else str(judge(self.effect))


def rates_of(report: dict[str, Any]) -> Rates:
    """The rate of every case that a report, ``bench report --format json``, holds proven figures of."""
    found: Rates = {}
    for case in report["measured"]:
        rate = case["images_per_second"] or case["megapixels_per_second"]
        if rate is not None and case["valid"]:
            found[_named(case)] = rate["value"]
    return found


def _named(case: dict[str, Any]) -> str:
    parts = [case["backend"], *case["devices"], f"{case['workload']}-{case['size']}", case["phase"], case["scenario"]]
    tail = f"{case['host_cores']} cores" if case["phase"] == "preprocess" else f"batch {case['batch_size']}"
    return " ".join(part for part in [*parts, case["precision"], tail, case["options"]] if part)


def level_of(cases: int) -> float:
    """The one-sided error level of each case, so that all together raise a false alarm as seldom as a check (Bonferroni)."""
    return ERROR_LEVEL / max(cases, 1)


def judged(before: Sequence[Rates], after: Sequence[Rates]) -> list[Judged]:
    """Every case of either side; two rates are a pair where the runs of one number both measured the case."""
    cases = list(dict.fromkeys(case for rates in [*before, *after] for case in rates))
    return [_judged(case, before, after, level_of(len(cases))) for case in cases]


def _judged(case: str, before: Sequence[Rates], after: Sequence[Rates], level: float) -> Judged:
    pairs = [(one[case], two[case]) for one, two in zip(before, after, strict=True) if case in one and case in two]
    known = [rates[case] for rates in before if case in rates]
    try:
        effect = effect_of([math.log(one / two) for one, two in pairs], level, ERROR_LEVEL)
    except NoFigure:
        effect = None
    return Judged(case, median(known) if known else math.nan, len(pairs), effect)


def orders(pairs: int) -> Iterator[tuple[str, ...]]:
    """Which side comes first in each pair: in turns, so that what drifts hits both sides alike."""
    return (SIDES if number % 2 == 0 else SIDES[::-1] for number in range(pairs))


def measured(checkout: Checkout, folder: Path, options: Sequence[str], core: int | None = None) -> Rates:
    """One run into the new folder ``folder``, on one ``core`` only where it is given. Raises SystemExit where it leaves no record, or
    one that cannot be reported."""
    folder.mkdir(parents=True)
    variables = {"BENCH_CACHE": str(folder.parent / "cache")}
    run = ["-m", "bench", *QUICK, *options, "-o", "runs"]
    # Runs queue by a lock in the folder for temporary files, each in its own.
    done = checkout.run(run, folder, variables if core is None else {**variables, "TMPDIR": str(folder)}, core)
    if str(done.returncode) not in FINISHED:
        raise SystemExit(f"{' '.join(run)} ended with {done.returncode}:\n{done.stderr.decode()}")
    said_by = checkout.run(["-m", "bench", "report", "runs", "--format", "json"], folder, variables)
    if said_by.returncode:
        raise SystemExit(f"bench report ended with {said_by.returncode}:\n{said_by.stderr.decode()}")
    return rates_of(json.loads(said_by.stdout))


def in_turns(sides: dict[str, Checkout], pairs: int, folder: Path, options: Sequence[str]) -> dict[str, list[Rates]]:
    """Every run of each side, by its number."""
    found: dict[str, list[Rates]] = {side: [] for side in SIDES}
    for number, order in enumerate(orders(pairs)):
        for side in order:
            print(f"pair {number + 1} of {pairs}: {side} …", file=sys.stderr, flush=True)
            found[side].append(measured(sides[side], folder / side / str(number), options))
    return found


def at_once(sides: dict[str, Checkout], pairs: int, folder: Path, options: Sequence[str]) -> dict[str, list[Rates]]:
    """Every run of each side, by its number; the two of a pair at the same time, on a core each."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise SystemExit("--at-once takes two cores; this process may use one")
    found: dict[str, list[Rates]] = {side: [] for side in SIDES}
    with ThreadPoolExecutor(2) as pool:
        for number, order in enumerate(orders(pairs)):
            print(f"pair {number + 1} of {pairs}: {' and '.join(order)} …", file=sys.stderr, flush=True)
            runs = {
                side: pool.submit(measured, sides[side], folder / side / str(number), options, core)
                for side, core in zip(order, cores, strict=True)
            }
            for side, run in runs.items():
                found[side].append(run.result())
    return found


def costs(sides: dict[str, Checkout], folder: Path) -> list[str]:
    """The parent's CPU use during trials, and the CPU time of starts, which take turns."""
    lines = []
    for side, checkout in sides.items():
        print(f"the parent's cost: {side} …", file=sys.stderr, flush=True)
        found = parent_cost(str(checkout.python), folder, checkout.environment())
        lines.append(f"parent during trials, {side}: {found}")
    for words in COMMANDS:
        times: dict[str, list[float]] = {side: [] for side in sides}
        for number in range(RUNS + 1):
            for side, checkout in sides.items():
                spent = cpu_seconds(words, str(checkout.python), checkout.environment())
                times[side] += [spent] if number else []  # the first may compile
        lines += [f"bench {' '.join(words)}, {side}: {said(times[side])}" for side in sides]
    return lines


def table(found: Sequence[Judged]) -> str:
    """A row for each case."""
    level = level_of(len(found))
    columns = ["case", "before, items/s", "rate after / before", "pairs", "verdict", "a slow-down found 4 times in 5"]
    return tabulate([one.row(level) for one in found], columns, tablefmt="pipe", disable_numparse=True)


def main(words: list[str]) -> int:
    """Measure and print; 1 where a case has regressed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", nargs="?", type=int, default=4, help="pairs of runs, 2 or more")
    parser.add_argument("--commit", default=BEFORE, help="what to hold this working tree against")
    parser.add_argument("--before", type=Path, help="a ready checkout of that commit with an environment in .venv")
    parser.add_argument("--after", type=Path, help="another one, instead of this working tree")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep every run here; must not exist yet")
    parser.add_argument("--at-once", action="store_true", help="both runs of a pair at the same time, on a core each")
    cut = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:cut])
    before = checkout_in(options.before) if options.before else checkout_of(options.commit)
    sides = {"before": before, "after": checkout_in(options.after) if options.after else working_tree()}
    for side, checkout in sides.items():
        print(f"{side}: {checkout.described()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = (options.keep or Path(name)).absolute()
        rates = (at_once if options.at_once else in_turns)(sides, options.pairs, folder, words[cut + 1 :])
        found = judged(rates["before"], rates["after"])
        print(f"\n{table(found)}\n", flush=True)
        print("\n".join(costs(sides, folder)))
    return int(any(one.verdict == "regressed" for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
