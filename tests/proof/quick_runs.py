"""Proof that a rebuilding costs no speed: quick runs of an earlier commit and of this working tree, block by block in turns.

    python tests/proof/quick_runs.py [PAIRS] [--commit COMMIT] [--before FOLDER] [--after FOLDER] [-- OPTION ...]

On an otherwise idle machine. Both sides run at the same time, each its own command line in its own environment, and only one of them
works at any moment (``turns_side.py``): before a worker starts, and before it times a block, its side waits for the turn, which goes
from side to side. ``bench check`` does the same with workers of one parent; here the parents differ too, since the protocol between
parent and worker may. Both sides cut a case's trials into the same blocks. Two trials of one number are a pair, and pairs are judged
as the gate judges its own (``bench/statistics/pairs.py``, docs/verdicts.md): 2 % is tolerated, 5 % must be found, and a false alarm
in the whole table has a probability of at most 2 %. What would have been found four times in five stands beside each verdict. Then
the parent's CPU use during trials and the CPU time of a start, of either side. Exit code 1 where a case has regressed.

OPTIONs go to ``bench run``. Batch sizes are fixed and no other ways are searched, since what pilots choose may differ from run to
run, and then there is no pair.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tabulate import tabulate

from bench.comparison.trials import Paired
from bench.errors import NoFigure
from bench.statistics.pairs import ERROR_LEVEL, detectable, effect_of, pair_difference, total_difference
from tests.benchmarks.parent_cost import parent_cost
from tests.benchmarks.start_up import COMMANDS, RUNS, cpu_seconds, said
from tests.proof.checkouts import BEFORE, Checkout, checkout_in, checkout_of, working_tree

QUICK = ("run", "--quick", "--quiet", "--wait", "--batch-size", "64", "--no-search", "--no-ceilings", "--seed", "0")
SIDES = ("before", "after")
DRIVER = Path(__file__).with_name("turns_side.py")

Samples = dict[str, list[float]]
"""Seconds of each block of a trial's steady state, by the trial's number and its case's label; none where it is not proven."""


@dataclass(frozen=True)
class Judged:
    """A case over all pairs of trials that both sides proved."""

    case: str
    seconds: float  # of a block at the earlier commit, the median
    differences: list[float]  # ln(time after / time before), by pair
    totals: list[float]  # the same of whole trials, where no block is left out

    def row(self, level: float) -> list[str]:
        """Cells: the case, its block, the ratio of times, the verdict, and what would have been found."""
        try:
            effect = effect_of(self.differences, level, ERROR_LEVEL)
        except NoFigure:
            return [self.case, "–", "–", str(len(self.differences)), self.verdict(level), "–"]
        ratio, low, high = (math.exp(log) for log in (effect.log_ratio, effect.low, effect.high))
        found = detectable(effect.standard_error, effect.degrees_of_freedom, level)
        figures = f"{ratio:.3f} ({low:.3f} to {high:.3f})"
        pairs = str(len(self.differences))
        return [self.case, f"{self.seconds:.3g} s", figures, pairs, self.verdict(level), f"{100 * found:.1f} %"]

    def verdict(self, level: float) -> str:
        """What the gate's rule says."""
        return (
            str(Paired(self.differences, self.totals).verdict(level, ERROR_LEVEL))
            if len(self.differences) > 1
            else "inconclusive"
        )


def level_of(cases: int) -> float:
    """The one-sided error level of each case, so that all together raise a false alarm as seldom as a check (Bonferroni)."""
    return ERROR_LEVEL / max(cases, 1)


def judged(before: Samples, after: Samples) -> list[Judged]:
    """Every case of either side, in the order in which they were first measured."""
    numbers: dict[str, list[str]] = {}
    for what in [*before, *after]:
        number, case = what.split(" ", 1)
        numbers.setdefault(case, [])
        if what in after and what in before and before[what] and after[what] and number not in numbers[case]:
            numbers[case].append(number)
    return [_judged(case, [(before[f"{n} {case}"], after[f"{n} {case}"]) for n in found]) for case, found in numbers.items()]


def _judged(case: str, pairs: Sequence[tuple[list[float], list[float]]]) -> Judged:
    alike = [(one[: len(two)], two[: len(one)]) for one, two in pairs]  # a side may have made a query more
    blocks = [second for one, _ in alike for second in one]
    differences = [pair_difference(one, two) for one, two in alike]
    return Judged(
        case, median(blocks) if blocks else math.nan, differences, [total_difference(one, two) for one, two in alike]
    )


class Side:
    """One command line, which waits for its turn whenever it may begin something."""

    def __init__(self, name: str, checkout: Checkout, folder: Path, words: Sequence[str]) -> None:
        self.name = name
        self.samples: Samples = {}
        self.asked: dict[str, Any] | None = None
        folder.mkdir(parents=True)
        self._log = folder / "output"
        reading, there = os.pipe()
        here, writing = os.pipe()
        # Runs queue by a lock, in the folder for temporary files or in one of their own: each side has both for itself.
        variables = {"BENCH_CACHE": str(folder / "cache"), "TMPDIR": str(folder), "BENCH_LOCKS": str(folder / "locks")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(checkout.python), str(DRIVER), str(here), str(there), *words],
                cwd=folder,
                env=checkout.environment(**variables),
                pass_fds=(here, there),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        os.close(here)
        os.close(there)
        self._in, self._out = os.fdopen(reading, encoding="utf-8"), os.fdopen(writing, "w", encoding="utf-8")

    @property
    def wants(self) -> str:
        """What it has asked for; empty once it has ended."""
        return self.asked["wants"] if self.asked else ""

    def listen(self) -> None:
        """Wait until this side asks for a turn, or has ended. Raises SystemExit where it ended without a record."""
        self.asked = None
        for line in self._in:
            said = json.loads(line)
            if "wants" in said:
                self.asked = said
                return
            self.samples[said["what"]] = said["samples"]
        if self._process.wait() not in {0, 6}:
            raise SystemExit(f"{self.name} ended with {self._process.returncode}:\n{self._log.read_text()}")

    def answer(self, words: Any = None) -> None:
        """Give this side the turn, and wait until it gives it up."""
        print(json.dumps(words), file=self._out, flush=True)
        self.listen()


def in_turns(checkouts: dict[str, Checkout], pairs: int, folder: Path, options: Sequence[str]) -> dict[str, Samples]:
    """The samples of both sides' trials."""
    words = [*QUICK, "--trials", str(pairs), *options, "-o", "runs"]
    sides = []
    for name, checkout in checkouts.items():
        sides.append(Side(name, checkout, folder / name, words))
        sides[-1].listen()
    while asking := [side for side in sides if side.asked]:
        trials = [side for side in asking if side.wants == "blocks"]
        if len(trials) == len(asking):
            begin(trials)
            sides.reverse()  # who begins alternates
            continue
        for side in asking:
            if side.wants != "blocks":
                side.answer()
    return {side.name: side.samples for side in sides}


def begin(sides: Sequence[Side]) -> None:
    """Let each side that is left begin its next trial, which must be the same. Raises SystemExit where it is not."""
    asked = [side.asked for side in sides if side.asked]
    titles = {one["what"] for one in asked}
    if len(titles) > 1:
        raise SystemExit(f"the sides measure different trials: {' and '.join(sorted(titles))}")
    print(f"trial {' '.join(titles)} …", file=sys.stderr, flush=True)
    blocks = alike([one["blocks"] for one in asked])
    for side in sides:
        side.answer(blocks)


def alike(cuts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Blocks for both sides, as a check cuts them: as the slower side's pilot did, whose blocks have fewer steps, with the longer of
    the two warm-ups and an even number of samples."""
    slower = min(cuts, key=itemgetter("steps"))
    warm = max(cut["steps"] * cut["warmup"] for cut in cuts)
    return {
        "steps": slower["steps"],
        "warmup": math.ceil(warm / slower["steps"]),
        "samples": slower["samples"] + slower["samples"] % 2,
        "detected": all(cut["detected"] for cut in cuts),
    }


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
    columns = ["case", "block before", "time after / before", "pairs", "verdict", "a slow-down found 4 times in 5"]
    return tabulate([one.row(level) for one in found], columns, tablefmt="pipe", disable_numparse=True)


def main(words: list[str]) -> int:
    """Measure and print; 1 where a case has regressed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", nargs="?", type=int, default=8, help="pairs of trials of each case, 2 or more")
    parser.add_argument("--commit", default=BEFORE, help="what to hold this working tree against")
    parser.add_argument("--before", type=Path, help="a ready checkout of that commit with an environment in .venv")
    parser.add_argument("--after", type=Path, help="another one, instead of this working tree")
    cut = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:cut])
    before = checkout_in(options.before) if options.before else checkout_of(options.commit)
    sides = {"before": before, "after": checkout_in(options.after) if options.after else working_tree()}
    for side, checkout in sides.items():
        print(f"{side}: {checkout.described()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        samples = in_turns(sides, options.pairs, Path(name) / "turns", words[cut + 1 :])
        found = judged(samples["before"], samples["after"])
        print(f"\n{table(found)}\n", flush=True)
        print("\n".join(costs(sides, Path(name))))
    return int(any(one.verdict(level_of(len(found))) == "regressed" for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
