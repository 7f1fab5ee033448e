"""CPU seconds of ``bench --help`` and ``bench list --help`` (target: under 0.12).

python tests/benchmarks/start_up.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

RUNS = 20


def cpu_seconds(arguments: list[str]) -> float:
    before = os.times()
    subprocess.run([str(Path(sys.executable).with_name("bench")), *arguments], capture_output=True, check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    for arguments in (["--help"], ["list", "--help"]):
        cpu_seconds(arguments)
        times = [cpu_seconds(arguments) for _ in range(RUNS)]
        print(f"bench {' '.join(arguments)}: median {median(times):.3f} s, worst {max(times):.3f} s of CPU time, n = {RUNS}")


if __name__ == "__main__":
    main()
