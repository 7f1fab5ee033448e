"""The parent's CPU use and memory while trials run (targets: under 1 % of one core, under 150 MB).

python tests/benchmarks/parent_cost.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

RUN = (
    "-m", "bench", "run", "--backend", "cpu", "--size", "tiny", "--phase", "train", "--precision", "fp32", "--trials", "2",
    "--seconds", "20", "--no-ceilings",
)  # fmt: skip


@dataclass(frozen=True)
class Parent:
    """What the parent of long trials used meanwhile."""

    share: float  # of one core
    seconds: float
    memory: int  # most resident bytes

    def __str__(self) -> str:
        return f"{100 * self.share:.2f} % of one core over {self.seconds:.0f} s, {self.memory / 1e6:.0f} MB resident"


def parent_cost(
    python: str = sys.executable, folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> Parent:
    """Run two trials of 20 s with this interpreter, in this folder and environment, and watch their parent.

    Raises RuntimeError where no trial lived long enough to be watched.
    """
    with tempfile.TemporaryDirectory() as output:
        command = [python, *RUN, "-o", output]
        with psutil.Popen(
            command, stdout=-3, stderr=-3, cwd=folder, env=None if variables is None else dict(variables)
        ) as parent:
            trial: tuple[float, float] | None = None  # when the present worker was first seen, and the parent's CPU time
            busy, seconds, peak, worker = 0.0, 0.0, 0, 0
            while parent.poll() is None:
                try:
                    children = [child for child in parent.children() if child.status() != psutil.STATUS_ZOMBIE]
                    now, spent = time.monotonic(), sum(parent.cpu_times()[:2])
                    memory = parent.memory_info().rss
                except psutil.NoSuchProcess:
                    break
                if len(children) == 1 and children[0].pid == worker and trial is not None:
                    if now - trial[0] > 10:  # a long-lived worker is a trial
                        busy, seconds, peak = busy + spent - trial[1], seconds + now - trial[0], max(peak, memory)
                        trial = now, spent
                else:
                    worker, trial = (children[0].pid, (now, spent)) if len(children) == 1 else (0, None)
                time.sleep(0.5)
    if not seconds:
        raise RuntimeError(f"no trial of {' '.join(command)} lived for 10 s")
    return Parent(busy / seconds, seconds, peak)


def main() -> None:
    print(f"parent during trials: {parent_cost()}")


if __name__ == "__main__":
    main()
