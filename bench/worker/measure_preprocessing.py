"""The preprocessing phase: decode, resize and crop image files on some of the host's cores."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.record.schema import Check
from bench.worker.answers import RankResult
from bench.worker.feed import image_files
from bench.worker.pilot import course, settle
from bench.worker.timing import time_one_by_one
from bench.worker.workbench import Workbench, note_samples, peak_memory

PILOT_SECONDS = 1.2


def measure_preprocessing(bench: Workbench) -> RankResult:
    """Megapixels per second from files to uint8 NHWC, the threads reading, decoding and resizing side by side.

    Files are read through the page cache: what is measured is the cores' work, not the disk's.
    """
    case, workload = bench.job.case, bench.workload
    reader = workload.data
    assert reader is not None  # Prepare has refused such a workload
    height, width = workload.network.height, workload.network.width
    with bench.stage("data"):
        files = image_files(bench.folder)
        for file in files[:1024]:
            file.read_bytes()
    pool = ThreadPoolExecutor(case.cores)
    endless: Iterator[Path] = cycle(files)

    def decode_all(some: list[Path]) -> int:
        return sum(reader.decode(file, height, width)[1] for file in some)

    def run(steps: int) -> int:
        """Decode ``steps`` files per thread; the pixels that the files hold."""
        return sum(pool.map(decode_all, [list(islice(endless, steps)) for _ in range(case.cores)]))

    with bench.stage("first_step"):
        run(1)
    measured = RankResult(stages={}, batch_size=1)
    measured.lowering = getattr(reader, "lowering", "")
    with bench.stage("steady"):
        if bench.job.blocks is None:
            found = course(run, PILOT_SECONDS, bench.job.seconds, bench.alive)
        else:
            blocks, total = bench.job.blocks, bench.job.blocks.warmup + bench.job.blocks.samples
            beat = partial(bench.channel.beat, total=total)
            timed = time_one_by_one(lambda: run(blocks.steps), total, before=bench.turn, beat=beat)
            note_samples(measured, blocks, timed.samples, case.cores)
            measured.pixels_per_sample = timed.results
    measured.host_memory = peak_memory()
    bench.timed()
    with bench.stage("check"):
        measured.checks = [_check(reader.decode(files[0], height, width), height, width)]
        if bench.job.blocks is None:
            settle(measured, found, 1, bench.job.seconds)
    return measured


def _check(decoded: tuple[NDArray[np.uint8], int], height: int, width: int) -> Check:
    """Shape and type of what comes out, and that it is a picture and not one colour."""
    image, pixels = decoded
    good = image.shape == (height, width, 3) and image.dtype == np.uint8 and image.std() > 0 and pixels > 0
    detail = "" if good else f"decoding gave {image.dtype} {image.shape} with deviation {image.std():.3g}"
    return Check(name="decoded image", passed=bool(good), detail=detail)
