"""Real checks through the command line: unchanged code against itself, and steps with extra work in them.

    python tests/proof/real.py MINUTES [FILE]

Runs ``bench check`` over and over for so many minutes: unchanged code three times, then a slow-down of 5, 2 or 10 % in turn.
The slower code is a copy of this repository whose PyTorch backend multiplies small matrices in every training step, as many as it
takes; how much slower that really is, is measured within one process, with and without in turns. FILE (default
tests/proof/traces.json) gets the steady blocks of every pair, after those it already holds; ``rules.py`` holds other tools' rules
against them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.record.figures import steady_samples
from bench.record.files import read_record
from tests.proof.changed import changed_copy

CYCLE = (0.0, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0, 0.02, 0.0, 0.0, 0.0, 0.10)
CHECK = ("check", "--backend", "cpu", "--size", "tiny", "--seconds", "2", "--quiet")

EXTRA = '''"""Work that nobody asked for."""

import torch

COUNT = {count}
_A, _B, _C = (torch.randn(96, 96) for _ in range(3))


def work():
    for _ in range(COUNT):
        torch.mm(_A, _B, out=_C)
'''

CALIBRATE = """
import sys, time
from statistics import median
import numpy as np
import backends.extra as extra
from backends.torch_engine import TorchTrainer
from bench.contract import Settings
from bench.spec import initial_weights
from workloads.melanoma import bench_workloads

count, rounds = int(sys.argv[1]), int(sys.argv[2])
workload = next(one for one in bench_workloads() if one.size == "tiny")
trainer = TorchTrainer(workload, initial_weights(workload.network, 0), "cpu", Settings("fp32", workload.batch_size, 2))
rng = np.random.default_rng(0)
side = workload.network.height
images = rng.integers(0, 256, (workload.batch_size, side, side, 3), dtype=np.uint8)
labels = rng.integers(0, 2, workload.batch_size).astype(np.int32)
ratios = []
for number in range(rounds):
    spent = {}
    for extra.COUNT in ((0, count), (count, 0))[number % 2]:
        started = time.perf_counter()
        trainer.wait(trainer.run([trainer.stage(images, labels)] * 4))
        spent[extra.COUNT] = time.perf_counter() - started
    ratios.append(spent[count] / spent[0])
print(median(ratios[len(ratios) // 10 :]) - 1)
"""


def main(minutes: float, file: Path) -> None:
    """Measure until the time is up; the file is complete after every check."""
    ends = time.monotonic() + 60 * minutes
    found: dict[str, Any] = {"command": " ".join(["bench", *CHECK]), "checks": []}
    if file.exists():
        found = json.loads(file.read_text())
        assert found["command"] == " ".join(["bench", *CHECK]), f"{file} holds checks of another kind"
    checks = found["checks"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slow, tree = changed_copy(folder / "slower", "Do needless work in every step", _call_extra_work)
        counts, real = _calibrate(slow, tree)
        for slowdown in cycle(CYCLE):
            if time.monotonic() > ends:
                return
            python, known = sys.executable, {}
            if slowdown:
                python, known = slow, {"measured": real[slowdown]}
                (tree / "backends" / "extra.py").write_text(EXTRA.format(count=counts[slowdown]))
            checks.append({"slowdown": slowdown, **known, **_check(python, folder / f"check{len(checks)}")})
            last = checks[-1]
            print(
                f"{slowdown:4.0%}: {last['verdict']} after {last['pairs']} pairs, {last['seconds']:.0f} s", file=sys.stderr
            )
            file.write_text(json.dumps(found).replace("}, {", "},\n{") + "\n")


def _call_extra_work(folder: Path) -> None:
    engine = folder / "backends" / "torch_engine.py"
    text = engine.read_text()
    assert text.count("        return loss.detach()\n") == 1
    text = text.replace("        return loss.detach()\n", "        extra.work()\n        return loss.detach()\n")
    engine.write_text(
        text.replace("from backends.torch_lowering", "from backends import extra\nfrom backends.torch_lowering", 1)
    )
    extra = folder / "backends" / "extra.py"
    extra.write_text(EXTRA.format(count=0))
    subprocess.run(["git", "-C", str(folder), "add", str(extra)], check=True)


def _calibrate(python: str, tree: Path) -> tuple[dict[float, int], dict[float, float]]:
    """Products a step for each slow-down, and what they really cost as a fraction of a step."""

    def cost(count: int, rounds: int) -> float:
        words = [python, "-c", CALIBRATE, str(count), str(rounds)]
        return float(subprocess.run(words, cwd=tree, check=True, capture_output=True, text=True).stdout)

    each = cost(200, 60) / 200
    counts = {}
    for slowdown in sorted(set(CYCLE) - {0.0}):
        guess = round(slowdown / each)
        counts[slowdown] = max(1, round(guess * slowdown / cost(guess, 100)))  # the first few cost more than the last
    real = {slowdown: round(cost(count, 150), 4) for slowdown, count in counts.items()}
    print(f"products of 96x96 a step: {counts}; really slower by {real}", file=sys.stderr)
    return counts, real


def _check(python: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    begun = time.monotonic()
    words = [python, "-m", "bench", *CHECK, "--against", sys.executable, "--json", "check.json", "-o", "results"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begun
    assert done.returncode in {0, 3, 5}, done.stderr
    (case,) = json.loads((folder / "check.json").read_text())["cases"]
    (results,) = (folder / "results").iterdir()
    sides = [
        {
            trial.number: steady_samples(trial)
            for trial in read_record(results / arm).trials
            if trial.role == "trial" and trial.status == "ok"
        }
        for arm in ("base", "candidate")
    ]
    traces = [[[round(second, 6) for second in side[number]] for side in sides] for number in sides[0] if number in sides[1]]
    figures = case["figures"]
    return {
        "verdict": case["verdict"], "effect": round(figures["effect"]["log_ratio"], 5), "pairs": figures["effect"]["n"],
        "seconds": round(seconds, 1), "traces": traces,
    }  # fmt: skip


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).parent / "traces.json"))
