"""What measuring through the harness costs, against a bare loop of the same framework, network and settings.

Pairs of fresh processes, one of each kind, in alternating order, with the same worker environment. Prints the mean of the
paired log-ratios of seconds per step with its 90 % interval; the target is an interval inside +-1 %.

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
from bench.record.schema import Case
from bench.run.process import Launch, run_worker
from bench.run.session import ask_worker
from bench.worker.answers import Measured, Prepared
from bench.worker.jobs import Blocks, DataSpec, Measure, Prepare

PLUGINS = {plugin.name: plugin for plugin in find_plugins()}
BATCH = {"tiny": 64, "small": 32}
# Steps per sample and samples: about five seconds of steady state on two cores.
BLOCKS = {"tiny": Blocks(steps=20, warmup=4, samples=20), "small": Blocks(steps=3, warmup=2, samples=10)}


def harness(size: str, prepared: str, environment: dict[str, str], folder: Path) -> float:
    """Seconds per step as the record gives them."""
    cores = usable_cores()
    case = Case(
        backend="cpu", devices=("cpu",), workload="melanoma", size=size, phase="train", precision="fp32",
        batch_size=BATCH[size], threads=cores,
    )  # fmt: skip
    job = Measure(
        case=case, backend=PLUGINS["cpu"], workload=PLUGINS["melanoma"], prepared=prepared, cache=None, seconds=5.0, seed=1,
        blocks=BLOCKS[size],
    )  # fmt: skip
    outcome = run_worker(Launch(job, folder / "log", environment))
    assert outcome.status == "ok", outcome.reason
    measured = msgspec.json.decode(outcome.value, type=Measured)
    assert all(check.passed for check in measured.checks), measured.checks
    return mean(measured.samples[measured.warmup :]) / measured.steps_per_sample


def bare(size: str, environment: dict[str, str]) -> float:
    """Seconds per step of the bare loop over as many steps."""
    blocks = BLOCKS[size]
    script = Path(__file__).with_name("bare_loop.py")
    numbers = [BATCH[size], blocks.steps * blocks.samples, blocks.steps * (blocks.warmup + 1) + 5]
    command = [sys.executable, "-P", str(script), size, *map(str, numbers)]
    return float(subprocess.run(command, env=os.environ | environment, capture_output=True, check=True).stdout)


def main(pairs: int) -> None:
    environment = worker_environment(usable_cores(), {})
    for size in ("tiny", "small"):
        job = Prepare(
            plugin=PLUGINS["melanoma"], workload="melanoma", size=size, data=DataSpec(),
            cache=tempfile.mkdtemp(prefix="bench-cost-"), phases=("train",),
        )  # fmt: skip
        prepared = msgspec.json.decode(ask_worker(job), type=Prepared).folder
        ratios = []
        for pair in range(pairs):
            with tempfile.TemporaryDirectory() as folder:
                if pair % 2:
                    alone = bare(size, environment)
                    inside = harness(size, prepared, environment, Path(folder))
                else:
                    inside = harness(size, prepared, environment, Path(folder))
                    alone = bare(size, environment)
            ratios.append(math.log(inside / alone))
            print(f"{size} pair {pair + 1}: harness {inside * 1e3:.2f} ms, bare {alone * 1e3:.2f} ms a step", flush=True)
        half = stdtrit(pairs - 1, 0.95) * stdev(ratios) / math.sqrt(pairs)
        low, high = (100 * (math.exp(mean(ratios) + side) - 1) for side in (-half, half))
        print(
            f"{size}: harness over bare {100 * (math.exp(mean(ratios)) - 1):+.2f} %, 90 % interval {low:+.2f} to {high:+.2f} %, "
            f"median {100 * (math.exp(median(ratios)) - 1):+.2f} %, n = {pairs} pairs"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
