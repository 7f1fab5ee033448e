"""The parent's CPU use and memory while trials run (targets: under 1 % of one core, under 150 MB).

python tests/benchmarks/parent_cost.py
"""

from __future__ import annotations

import sys
import tempfile
import time

import psutil


def main() -> None:
    command = [sys.executable, "-m", "bench", "run", "--backend", "cpu", "--size", "tiny", "--phase", "train"]
    with tempfile.TemporaryDirectory() as folder:
        extra = ["--precision", "fp32", "--trials", "2", "--seconds", "20", "--no-ceilings", "-o", folder]
        with psutil.Popen([*command, *extra], stdout=-3, stderr=-3) as parent:
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
    print(
        f"parent during trials: {100 * busy / seconds:.2f} % of one core over {seconds:.0f} s, {peak / 1e6:.0f} MB resident"
    )


if __name__ == "__main__":
    main()
