"""CPU seconds of ``bench --help`` and ``bench list --help`` (target: under 0.12).

python tests/benchmarks/start_up.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

RUNS = 20

COMMANDS = (("--help",), ("list", "--help"))


def cpu_seconds(arguments: Sequence[str], python: str = sys.executable, variables: Mapping[str, str] | None = None) -> float:
    """User and system time of one ``bench`` with these arguments, from the scripts beside this interpreter."""
    before = os.times()
    subprocess.run(
        [str(Path(python).with_name("bench")), *arguments],
        capture_output=True,
        check=True,
        env=None if variables is None else dict(variables),
    )
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def said(times: Sequence[float]) -> str:
    """Of repeated starts: the median and the worst."""
    return f"median {median(times):.3f} s, worst {max(times):.3f} s of CPU time, n = {len(times)}"


def main() -> None:
    for arguments in COMMANDS:
        cpu_seconds(arguments)
        times = [cpu_seconds(arguments) for _ in range(RUNS)]
        print(f"bench {' '.join(arguments)}: {said(times)}")


if __name__ == "__main__":
    main()
