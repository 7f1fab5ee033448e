"""Seconds from Ctrl-C to the end of a command whose workers hang, as in a driver that does not answer (target: under 1).

python tests/benchmarks/interruption.py

Each command's workers are stopped half a second after the first has started; then the command gets one Ctrl-C. A worker that is left behind, or
a command that does not end within ten seconds, ends the benchmark with an error.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

COMMANDS = (
    ("list",),
    ("run", "--quick", "--backend", "cpu"),
    ("verify", "--backend", "cpu", "--size", "tiny"),
    ("train", "--backend", "cpu", "--size", "tiny", "--epochs", "1"),
    ("race", "--live", "--backend", "cpu"),
    ("doctor", "--backend", "cpu", "--budget", "30s"),
    ("forecast-check", "--backend", "cpu"),
    ("check", "--against", sys.executable, "--backend", "cpu"),
)
PATIENCE_SECONDS = 10.0


def seconds_to_end(arguments: Sequence[str], folder: Path) -> float:
    """Return the seconds from Ctrl-C to the command's end. Raises RuntimeError where a worker is left behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments],
        cwd=folder,
        env=os.environ | {"BENCH_CACHE": str(folder / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    parent = psutil.Process(process.pid)
    while not parent.children():
        if process.poll() is not None:
            raise RuntimeError(f"bench {' '.join(arguments)} ended with {process.returncode} before it had a worker")
        time.sleep(0.01)
    time.sleep(0.5)
    workers = parent.children(recursive=True)
    for worker in workers:
        worker.suspend()
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
        left = [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]
        for worker in left:
            worker.kill()
    if left:
        raise RuntimeError(f"bench {' '.join(arguments)} left {len(left)} workers behind")
    return time.monotonic() - begun


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-interruption-") as folder:
        for arguments in COMMANDS:
            print(f"bench {arguments[0]}: {seconds_to_end(arguments, Path(folder)):.2f} s", flush=True)


if __name__ == "__main__":
    main()
