"""What makes processes of unchanged code differ, and what the harness sets about it: a table of docs/verdicts.md.

    python tests/proof/quiet.py [ROUNDS] [BACKEND] [SIZE]

A round is two processes under each setting of the worker's environment, all alive at once and training in turns, so that
whatever the machine does meanwhile hits all alike; each block is held against the median of its turn. What is left
is how processes differ, under each setting.
"""

from __future__ import annotations

import math
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import msgspec
import numpy as np
from tabulate import tabulate

from bench.machine.environment import ALLOCATOR, THREAD_VARIABLES
from bench.record.figures import log_time
from bench.run.arms import start_arm
from bench.run.crew import run_in_turns
from bench.run.lock import locked
from bench.run.plan import Wishes
from bench.run.progress import Progress
from bench.run.session import make_plan
from bench.statistics.pairs import TRIMMED_BLOCKS, trimmed_mean
from bench.statistics.rates import t_quantile
from bench.worker.answers import RankResult

THRESHOLDS = {name: value for name, value in ALLOCATOR.items() if name.startswith("MALLOC")}
HUGE = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


@dataclass
class Setting:
    """An environment, and what was seen under it."""

    name: str
    environment: Mapping[str, str]
    fixed_addresses: bool = False
    relative: list[float] = field(default_factory=list)  # ln(time / median of all), of each process
    logs: list[float] = field(default_factory=list)  # ln(seconds per image) of each process


def settings() -> list[Setting]:
    """From glibc's and the kernel's own ways to everything that a harness can set."""
    return [
        Setting("nothing", {}),
        Setting("allocator thresholds", THRESHOLDS),
        Setting("thresholds, huge pages", THRESHOLDS | HUGE),
        Setting("thresholds, huge pages, threads bound to cores", THRESHOLDS | HUGE | {"OMP_PROC_BIND": "true"}),
        Setting("thresholds, huge pages, fixed addresses", THRESHOLDS | HUGE, fixed_addresses=True),
    ]


def main(rounds: int, backend: str, size: str) -> None:
    """Measure, and print the table."""
    wishes = Wishes(backends=(backend,), sizes=(size,), phases=("train",), precisions=("fp32",), ceilings=False)
    every = settings()
    with tempfile.TemporaryDirectory() as folder, locked(["host"], True), Progress(0, quiet=True) as progress:
        arm = start_arm("base", sys.executable, make_plan(wishes, {}), Path(folder), progress)
        arm.runner.pilots()
        pilot = arm.runner.journal.pilot(0)
        assert pilot is not None
        planned = arm.runner.plan.cases[0]
        fixed = Path(folder) / "fixed-addresses"
        fixed.write_text(f'#!/bin/sh\nexec {shutil.which("setarch")} -R {sys.executable} "$@"\n')
        fixed.chmod(0o700)
        rng = random.Random(0)
        kept = {name: value for name, value in planned.case.environment.items() if name in THREAD_VARIABLES}
        for number in range(rounds):
            order = rng.sample(every * 2, 2 * len(every))
            job = msgspec.structs.replace(arm.runner.trial_job(0, number, pilot), in_turns=True)
            launches = [
                replace(
                    arm.runner.launch(planned, job, f"round{number}-{place}"),
                    environment=kept | setting.environment,
                    interpreter=str(fixed) if setting.fixed_addresses else sys.executable,
                )
                for place, setting in enumerate(order)
            ]
            answers = [msgspec.json.decode(outcome.value, type=RankResult) for outcome in run_in_turns(launches)]
            times = np.log([one.samples[one.warmup :] for one in answers])
            for setting, one, off in zip(order, answers, times - np.median(times, axis=0), strict=True):
                setting.relative.append(trimmed_mean(off, TRIMMED_BLOCKS))
                setting.logs.append(log_time(one.samples, one.warmup, one.images_per_sample))
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
        print(f"{planned.case.label}, {rounds} rounds of two processes under each setting\n")
    rows = [_row(setting, every[0]) for setting in every]
    columns = ["set in the worker", "images/s", "time against nothing set", "processes scatter", "differ by more than 5 %"]
    print(tabulate(rows, columns, tablefmt="pipe", disable_numparse=True))
    logs = np.array([np.subtract(setting.logs, setting.relative) for setting in every]).reshape(len(every), rounds, 2)
    pace = statistics.stdev(logs.mean(axis=(0, 2)).tolist())
    print(f"\nThe machine itself: its pace differed by {100 * pace:.1f} % from round to round.")


def _row(setting: Setting, nothing: Setting) -> list[str]:
    n = len(setting.relative)
    change = statistics.mean(setting.relative) - statistics.mean(nothing.relative)
    error = math.sqrt((statistics.variance(setting.relative) + statistics.variance(nothing.relative)) / n)
    apart = [abs(one - two) for one, two in combinations(setting.relative, 2)]
    return [
        setting.name,
        f"{math.exp(-statistics.mean(setting.logs)):,.0f}",
        "" if setting is nothing else f"{100 * change:+.1f} % ± {100 * t_quantile(n - 1, 0.975) * error:.1f} %",
        f"{100 * statistics.stdev(setting.relative):.1f} %",
        f"{100 * sum(difference > math.log(1.05) for difference in apart) / len(apart):.0f} % of {len(apart)} pairs",
    ]


if __name__ == "__main__":
    words = sys.argv[1:] + ["7", "cpu", "tiny"][len(sys.argv) - 1 :]
    main(int(words[0]), words[1], words[2])
