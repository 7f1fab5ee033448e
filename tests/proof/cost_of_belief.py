"""What belief costs: whole default runs of an earlier commit and of this working tree in turns, and where the time of each went.

    python tests/proof/cost_of_belief.py [PAIRS] [--commit COMMIT] [--before-trials N] [-- OPTION ...]

On an otherwise idle machine. Each run starts as on a new machine: in a cache of its own, so that ceilings are measured, ways searched and
programs compiled anew. Installing is not counted. In every second pair the working tree begins. OPTIONs go to both sides' ``bench run``.
The split is the one that ``bench run --details`` prints, computed here from either side's record.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).parents[2]))

from tabulate import tabulate

from bench.record.files import find_records, read_record
from bench.record.schema import Record
from bench.report.spent import TIMED, time_spent
from tests.proof.checkouts import Checkout, checkout_of, working_tree

BEFORE = "6e00e81"
"""The last commit before proof looked at later steps of a block."""


def run_of(checkout: Checkout, words: list[str]) -> Record:
    """The record of one run. Raises SystemExit where it gives none."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variables = {"BENCH_CACHE": str(folder / "cache")}
        done = checkout.run(
            ["-m", "bench", "run", "--quiet", "--wait", "-o", str(folder / "runs"), *words], folder, variables
        )
        found = find_records(folder / "runs") if (folder / "runs").exists() else []
        if done.returncode not in {0, 6} or len(found) != 1:
            raise SystemExit(f"{checkout.folder} ended with {done.returncode}:\n{done.stderr.decode()}")
        return read_record(found[0])


def rows_of(sides: dict[str, list[Record]]) -> list[list[str]]:
    """For each side the seconds of a run, its trials, its timed share, and what the rest was for; means over its runs."""
    splits = {side: [time_spent(record) for record in records] for side, records in sides.items()}
    names = dict.fromkeys(name for split in splits.values() for one in split for name in one)
    totals = {side: mean(sum(one.values()) for one in split) for side, split in splits.items()}
    trials = {side: mean(sum(t.role == "trial" for t in r.trials) for r in records) for side, records in sides.items()}
    rows = [
        ["a whole run", *(f"{totals[side]:.0f} s" for side in sides)],
        ["trials", *(f"{trials[side]:.0f}" for side in sides)],
    ]
    for name in sorted(names, key=lambda name: (name != TIMED, name)):
        seconds = {side: mean(one.get(name, 0.0) for one in split) for side, split in splits.items()}
        rows.append([name, *(f"{seconds[side]:.0f} s, {100 * seconds[side] / totals[side]:.0f} %" for side in sides)])
    return rows


def main(words: list[str]) -> int:
    """Run and print."""
    own, more = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", nargs="?", type=int, default=1, help="runs of each side")
    parser.add_argument("--commit", default=BEFORE, help="the earlier one")
    parser.add_argument("--before-trials", type=int, default=3, help="of a case, in runs of the earlier commit")
    options = parser.parse_args(own)
    checkouts = {"before": checkout_of(options.commit), "after": working_tree()}
    wanted = {"before": ["--trials", str(options.before_trials), *more], "after": more}
    sides: dict[str, list[Record]] = {side: [] for side in checkouts}
    for pair in range(options.pairs):
        for side in list(checkouts)[:: -1 if pair % 2 else 1]:
            sides[side].append(run_of(checkouts[side], wanted[side]))
            print(f"{side}: {sum(time_spent(sides[side][-1]).values()):.0f} s", file=sys.stderr, flush=True)
    for side, checkout in checkouts.items():
        print(f"{side}: {checkout.described()}")
    print(tabulate(rows_of(sides), ["", *sides], tablefmt="pipe", stralign="right"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
