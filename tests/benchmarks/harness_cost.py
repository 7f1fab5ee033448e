"""What measuring through the harness costs, against a bare loop of the same lowered network and settings.

Each pair is two fresh processes with the same worker environment, alive at once and working in turns, block by block in
alternating order, so that what the machine does meanwhile hits both alike. Prints the mean over pairs of the log-ratio of
seconds per step with its 90 % interval; the target is an interval inside +-1 %.

    python tests/benchmarks/harness_cost.py [PAIRS]
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, median, stdev

import msgspec
from scipy.special import stdtrit

from bench.entry_points import find_plugins
from bench.machine.environment import worker_environment
from bench.machine.host import usable_cores
from bench.record.schema import Case, Place
from bench.run.crew import Crew
from bench.run.process import Launch, Worker
from bench.run.session import ask_worker
from bench.worker.answers import Prepared, RankResult
from bench.worker.jobs import Blocks, DataSpec, Measure, Prepare

PLUGINS = {plugin.name: plugin for plugin in find_plugins()}
BATCH = {"tiny": 64, "small": 32}
# Steps per sample and samples: about ten seconds of steady state on two cores.
BLOCKS = {"tiny": Blocks(steps=15, warmup=2, samples=20), "small": Blocks(steps=4, warmup=2, samples=20)}


def start_harness(crew: Crew, size: str, prepared: str, environment: dict[str, str], folder: Path) -> Worker:
    """A trial as ``bench run`` makes it, waiting for its turns."""
    case = Case(
        backend="cpu", places=(Place("cpu", usable_cores()),), workload="melanoma", size=size, phase="train", precision="fp32",
        batch_size=BATCH[size],
    )  # fmt: skip
    job = Measure(
        case=case, backend=PLUGINS["cpu"], workload=PLUGINS["melanoma"], prepared=prepared, cache=None, seconds=5.0, seed=1,
        blocks=BLOCKS[size], in_turns=True,
    )  # fmt: skip
    worker = crew.start(0, Launch(job, folder / "log", environment))
    assert crew.until_quiet(worker) == "ready"
    return worker


def start_bare(size: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """The bare loop, waiting for a number of steps."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("bare_loop.py")), size, str(BATCH[size])]
    return subprocess.Popen(command, env=os.environ | environment, stdin=-1, stdout=-1, text=True)


def one_pair(size: str, prepared: str, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds per step of the harness, as the record gives them, and of the bare loop."""
    blocks = BLOCKS[size]
    alone = 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        Crew() as crew,
        start_bare(size, environment) as loop,
    ):
        worker = start_harness(crew, size, prepared, environment, Path(folder))
        assert loop.stdin is not None
        assert loop.stdout is not None

        def bare() -> float:
            loop.stdin.write(f"{blocks.steps}\n")
            loop.stdin.flush()
            return float(loop.stdout.readline())

        def harness() -> None:
            worker.give_turn()
            assert crew.until_quiet(worker) == "ready"

        for block in range(-blocks.warmup, blocks.samples):
            if block % 2:
                harness()
            seconds = bare()
            if not block % 2:
                harness()
            alone += seconds if block >= 0 else 0.0
        loop.stdin.close()
        worker.give_turn()  # the checks
        crew.until_quiet(worker)
        outcome = worker.end()
    assert outcome.status == "ok", outcome.reason
    measured = msgspec.json.decode(outcome.value, type=RankResult)
    assert all(check.passed for check in measured.checks), measured.checks
    steps = blocks.steps * blocks.samples
    return sum(measured.samples[measured.warmup :]) / steps, alone / steps


def main(pairs: int) -> None:
    environment = worker_environment(usable_cores(), {})
    for size in ("tiny", "small"):
        job = Prepare(
            plugin=PLUGINS["melanoma"], workload="melanoma", size=size, data=DataSpec(),
            cache=tempfile.mkdtemp(prefix="bench-cost-"), files=False,
        )  # fmt: skip
        prepared = ask_worker(job, Prepared).folder
        ratios = []
        for pair in range(pairs):
            inside, alone = one_pair(size, prepared, environment)
            ratios.append(math.log(inside / alone))
            print(f"{size} pair {pair + 1}: harness {inside * 1e3:.2f} ms, bare {alone * 1e3:.2f} ms a step", flush=True)
        half = stdtrit(pairs - 1, 0.95) * stdev(ratios) / math.sqrt(pairs)
        low, high = (100 * (math.exp(mean(ratios) + side) - 1) for side in (-half, half))
        print(
            f"{size}: harness over bare {100 * (math.exp(mean(ratios)) - 1):+.2f} %, 90 % interval {low:+.2f} to {high:+.2f} %, "
            f"median {100 * (math.exp(median(ratios)) - 1):+.2f} %, n = {pairs} pairs"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16)
