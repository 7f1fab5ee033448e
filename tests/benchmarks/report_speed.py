"""How long ``bench report`` takes over a thousand records of realistic size, imports included.

    python tests/benchmarks/report_speed.py [records] [machines]

Each record holds 20 trials of 50 samples, four single-stream ones of 1,000 queries, and ten pilots. Prints wall and
processor seconds of the command line in a process of its own, the records in the page cache, and the size of what it writes.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.record.files import write_record
from bench.text.formats import FORMATS
from tests.support import records as fake


def make(folder: Path, records: int, machines: int) -> int:
    """Write the records; return their bytes."""
    size = 0
    for number in range(records):
        on = fake.machine(f"m{number % machines}")
        scripts = [fake.Script(**{**vars(script), "trials": 2}) for script in fake.scripts()]
        record = fake.record(f"r{number}", scripts, on=on, seed=number % 16)
        run = folder / f"run-{number:05d}"
        run.mkdir()
        write_record(record, run / "record.json")
        size += (run / "record.json").stat().st_size
    return size


def measure(folder: Path, *options: str) -> tuple[float, float]:
    """Wall and processor seconds of one ``bench report``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    command = [sys.executable, "-c", "from bench.cli import main; main()", "report", str(folder), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(records: int = 1000, machines: int = 20) -> None:
    """Print the figures, the median of three runs per format."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = make(folder, records, machines)
        print(f"{records} records of {machines} machines, {size / 1e6:.0f} MB")
        for format_name in FORMATS:
            if format_name == "pytest-benchmark" and machines > 1:
                continue  # its files are of one machine
            output = folder.parent / f"{folder.name}-report"
            times = sorted(measure(folder, "--format", format_name, "--output", str(output)) for _ in range(3))
            wall, processor = times[1]
            print(
                f"{format_name}: {wall:.2f} s wall, {processor:.2f} s processor, {output.stat().st_size / 1e6:.2f} MB",
                flush=True,
            )
            output.unlink()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
