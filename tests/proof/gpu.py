"""Everything that needs a GPU, in one go: proofs, verification, measured records, and the table's rows for a GPU.

    python tests/proof/gpu.py OUT                       on a machine with a GPU: everything
    python tests/proof/gpu.py OUT --part measure        prove, measure or profile alone
    python tests/proof/gpu.py OUT --rehearse            the same steps on the host, at the smallest size

Each step has its own log in OUT, and a failing one does not stop the others. Records lie in OUT/records.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST, FAREWELL = 420.0, 20.0
TRAINING, AGAINST_CUDA, UTILISATION = 5500.0, 0.8, 0.35


@dataclass(frozen=True)
class Target:
    """What the steps run on."""

    torch: tuple[str, str]  # backend and device
    jax: tuple[str, str]
    verified: tuple[str, ...]
    size: str
    batch_size: str
    seconds: str
    tests: str


GPU = Target(
    ("cuda", "cuda:0"), ("jax", "jax:gpu:0"), ("tiny", "small"), "standard", "256", "2.5", "TestConformance or graphs or gpu"
)
HOST = Target(("cpu", "cpu"), ("jax", "jax:cpu:0"), ("tiny",), "tiny", "64", "0.2", "recorded")


def main() -> None:
    """Every step, then the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--part", choices=["prove", "measure", "profile"])
    parser.add_argument("--rehearse", action="store_true")
    given = parser.parse_args()
    target = HOST if given.rehearse else GPU
    given.out.mkdir(parents=True, exist_ok=True)
    for part, name, words in _steps(target, given.out):
        if given.part in {None, part}:
            _step(given.out, name, words)
    for line in _rows(given.out, target):
        print(line, flush=True)


def _steps(target: Target, out: Path) -> list[tuple[str, str, list[str]]]:
    """Part, name, command."""
    bench = [sys.executable, "-m", "bench"]
    both = ["--backend", target.torch[0], "--backend", target.jax[0], "--device", target.torch[1], "--device", target.jax[1]]
    sizes = [word for size in target.verified for word in ("--size", size)]
    kernels = [sys.executable, "tests/benchmarks/kernels.py", "--backend", target.torch[0], "--size", target.size]
    kernels += ["--batch-size", target.batch_size, "--precision", "bf16"]
    measured = [*bench, "run", *both, "--size", target.size, "--precision", "bf16", "--precision", "fp32"]
    tests = ["tests/backends/test_cuda.py", "tests/backends/test_jax.py"]
    verify = [*bench, "verify", *both, *sizes]
    ways = [("graph", ["step=graph", "inference=graph"]), ("compiled", ["step=compiled", "inference=compiled"])]
    others = [
        ("prove", f"verify-{name}", [*verify, *(word for option in options for word in ("--option", option))])
        for name, options in (ways if target is GPU else [("eager", ["inference=eager"])])
    ]
    return [
        ("prove", "list", [*bench, "list"]),
        ("prove", "conformance", [sys.executable, "-m", "pytest", "-q", "-rs", *tests, "-k", target.tests]),
        ("prove", "verify", verify),
        *others,
        ("measure", "train", [*measured, "--phase", "train", "--batch-size", target.batch_size, *_lengths(target, out)]),
        ("measure", "infer", [*measured, "--phase", "infer", *_lengths(target, out)]),
        ("profile", "kernels-eager", kernels),
        ("profile", "kernels-compiled", [*kernels, "--option", "step=compiled"] if target is GPU else kernels),
        ("profile", "kernels-infer", [*kernels, "--phase", "infer"]),
    ]


def _lengths(target: Target, out: Path) -> list[str]:
    return ["--trials", "3", "--seconds", target.seconds, "-o", str(out / "records"), "--quiet"]


def _step(out: Path, name: str, words: Sequence[str]) -> None:
    started = time.monotonic()
    with (out / f"{name}.log").open("w") as log:
        log.write(" ".join(words) + "\n")
        log.flush()
        child = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=_environment())
        try:
            code: object = child.wait(LONGEST)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)  # a run seals what it has
            try:
                child.wait(FAREWELL)
            except subprocess.TimeoutExpired:
                child.kill()
            code = "out of time"
    print(f"{name}: {code}, {time.monotonic() - started:.0f} s", flush=True)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))}


def _rows(out: Path, target: Target) -> list[str]:
    """Ours against the targets; the cases' own figures and intervals are in the report."""
    records = sorted((out / "records").glob("*/record.json"))
    words = [sys.executable, "-m", "bench", "report", *map(str, records), "--format", "json"]
    done = subprocess.run(words, capture_output=True, text=True, env=_environment())
    if done.returncode or not records:
        return [f"no report: {done.stderr.strip() or 'no record was sealed'}"]
    cases = [case for case in json.loads(done.stdout)["measured"] if case["valid"]]

    def best(backend: str, phase: str, scenario: str) -> dict[str, object]:
        found = [c for c in cases if (c["backend"], c["phase"], c["scenario"]) == (backend, phase, scenario)]
        in_bf16 = [case for case in found if case["precision"] == "bf16"]  # which the host's JAX does not have
        return max(in_bf16 or found, key=lambda case: case["images_per_second"]["value"], default={})

    def rate(case: dict[str, object]) -> float:
        figure = case.get("images_per_second")
        return float(figure["value"]) if isinstance(figure, dict) else float("nan")

    ours, theirs = best(target.torch[0], "train", ""), best(target.jax[0], "train", "")
    offline = best(target.torch[0], "infer", "offline")
    return [
        f"training, {target.torch[0]}: {rate(ours):.0f} images/s; wanted {TRAINING:.0f}",
        f"training, {target.jax[0]}: {rate(theirs):.0f} images/s, {rate(theirs) / rate(ours):.2f} of it; wanted {AGAINST_CUDA}",
        f"inference, {target.torch[0]}: {rate(offline):.0f} images/s, {offline.get('share_of_ceiling')} of the arithmetic ceiling; "
        f"wanted {UTILISATION}",
    ]


if __name__ == "__main__":
    main()
