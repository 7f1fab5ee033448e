"""What our recipes reach on real images, beside the published recipe on the same file, and in what time.

    python tests/benchmarks/quality.py FILE.npz --checkpoint FILE [--seeds 3] [--skip-published]

Ours: ``melanoma`` and ``dermamnist``, each trained to the end of its schedule, and ``dermamnist`` with a schedule short enough for a
minute. Theirs: ``published_recipe.py``, about an hour on two cores with bf16; an interrupted one goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from bench.statistics.rates import t_quantile

OURS = {
    "melanoma": ["--workload", "melanoma", "--size", "tiny"],
    "dermamnist": ["--workload", "dermamnist", "--size", "tiny"],
    "dermamnist, short": ["--workload", "dermamnist", "--size", "tiny", "--epochs", "14"],
}


def train(name: str, data: Path, seeds: int, precision: str) -> list[dict[str, Any]]:
    """Our trainings, through the command line."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "trained.json"
        words = ["train", "--backend", "cpu", "--precision", precision, "--seeds", str(seeds), "--data", str(data)]
        words += ["--output", str(output), "--quiet", *OURS[name]]
        subprocess.run([sys.executable, "-m", "bench", *words], check=True, stdout=subprocess.DEVNULL)
        return [training["trained"] for training in json.loads(output.read_text())]


def published(data: Path, checkpoint: Path, precision: str) -> dict[str, float]:
    """The published recipe's figures."""
    script = Path(__file__).with_name("published_recipe.py")
    words = [sys.executable, str(script), str(data), "--checkpoint", str(checkpoint), "--precision", precision]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, float] = json.loads(done.stdout[done.stdout.index("{") :])
    return told


def spread(values: Sequence[float]) -> str:
    """A mean with its 95 % interval by Student's t."""
    if len(values) < 2:
        return f"{values[0]:.4f}"
    half = t_quantile(len(values) - 1, 0.975) * stdev(values) / sqrt(len(values))
    return f"{mean(values):.4f} ± {half:.4f}"


def main() -> None:
    """A line per recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--skip-published", action="store_true")
    given = parser.parse_args()
    times = {}
    for name in OURS:
        found = train(name, given.data, given.seeds, given.precision)
        times[name] = mean(one["curve"][-1]["seconds"] for one in found)
        measures = ", ".join(f"{key} {spread([one['test'][key] for one in found])}" for key in found[0]["test"])
        print(f"{name}, {given.precision}, {given.seeds} seeds: test {measures}; {times[name]:.1f} s each", flush=True)
    if given.skip_published:
        return
    theirs = published(given.data, given.checkpoint, given.precision)
    print(
        f"published recipe, {given.precision}, best epoch {theirs['best epoch']}: test auc {theirs['auc']:.4f}, accuracy "
        f"{theirs['accuracy']:.4f}, melanoma against the rest {theirs['melanoma']:.4f}; {theirs['seconds']:.0f} s, 100 times its "
        f"median epoch {100 * theirs['median']:.0f} s"
    )
    for name, seconds in times.items():
        print(f"{name}: {100 * theirs['median'] / seconds:.0f} times as fast as the published recipe")


if __name__ == "__main__":
    main()
