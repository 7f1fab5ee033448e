"""Proof that trials on a busy machine are not called wrong: trials of ``bench run`` beside busy loops, and the kit's cheats too.

    python tests/proof/soak.py [MINUTES] [--load LOOPS] [--at-once RUNS] [--times TIMES] [--keep FOLDER]

Runs of the tiny network (training and inference, fp32 and bf16, on the host's backends) follow each other for so many minutes
beside so many busy loops, and where several runs are made at once, beside each other too. A trial that is unproven is an honest one that failed; one that is disturbed was left out, which is what
should happen where the clock cannot tell. Then each cheat of ``bench.testing.zoo`` is examined so many times beside the same loops, on the
real clock. Exit code 1 where a trial was unproven, or a cheat was not caught.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tabulate import tabulate

from bench.record.figures import standing
from bench.record.files import find_records, read_record
from bench.testing.zoo import CHEATS, examine

RUN = (
    "run", "--size", "tiny", "--phase", "train", "--phase", "infer", "--precision", "fp32", "--precision", "bf16", "--trials", "3",
    "--seconds", "1", "--no-search", "--no-ceilings", "--quiet", "--wait",
)  # fmt: skip
BUSY = "while True: pass"


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that do nothing but keep a core busy."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def trials(folder: Path, minutes: float, at_once: int = 1) -> Counter[str]:
    """How many trials were proven, unproven, disturbed or failed in runs that begin within so many minutes, so many of them at once."""
    ends = time.monotonic() + 60 * minutes
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(lambda number: _runs(folder, number, ends), range(at_once)):
            pass
    return counted(folder)


def _runs(folder: Path, number: int, ends: float) -> None:
    """Runs one after the other. Each series has a folder for locks of its own, or it would wait for the others."""
    environment = {**os.environ, "BENCH_LOCKS": str(folder / f"locks-{number}")}
    while time.monotonic() < ends:
        command = [sys.executable, "-m", "bench", *RUN, "-o", str(folder / f"series-{number}")]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        if done.returncode not in {0, 6}:
            raise SystemExit(f"bench {' '.join(RUN)} ended with {done.returncode}:\n{done.stderr}")
        print(f"{dict(counted(folder))}", file=sys.stderr, flush=True)


def counted(folder: Path) -> Counter[str]:
    """What the trials in a folder are good for."""
    found: Counter[str] = Counter()
    for path in find_records(folder):
        for trial in read_record(path).trials:
            if trial.role == "trial":
                found["disturbed" if trial.status == "disturbed" else standing(trial)] += 1
                if standing(trial) == "refuted":
                    print(*(f"{check.name}: {check.detail}" for check in trial.checks if not check.passed), sep="\n")
    return found


def caught(name: str) -> bool:
    """Whether a check that is meant for a cheat fails."""
    return any(not check.passed and check.name in CHEATS[name].caught_by for check in examine(CHEATS[name]))


def main(words: list[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("minutes", nargs="?", type=float, default=60, help="of runs")
    parser.add_argument("--load", type=int, default=8, help="busy loops beside them")
    parser.add_argument("--at-once", type=int, default=1, metavar="RUNS", help="runs side by side")
    parser.add_argument("--times", type=int, default=20, help="how often each cheat is examined")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the records here")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name, busy(options.load):
        folder = (options.keep or Path(name)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        found = trials(folder, options.minutes, options.at_once) if options.minutes else Counter[str]()
        beside = f"{options.load} busy loops, {options.at_once} at once"
        print(f"{beside}, {len(os.sched_getaffinity(0))} cores, {sum(found.values())} trials")
        print(tabulate(sorted(found.items()), ["trials", "number"], tablefmt="pipe"))
        missed = {cheat: sum(not caught(cheat) for _ in range(options.times)) for cheat in CHEATS} if options.times else {}
        rows = [(cheat, f"{options.times - number} of {options.times}") for cheat, number in missed.items() if number]
        print(f"{len(missed)} cheats, each examined {options.times} times; not always caught: {len(rows)}")
        if rows:
            print(tabulate(rows, ["cheat", "caught"], tablefmt="pipe"))
    return int(bool(found["refuted"] or rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
