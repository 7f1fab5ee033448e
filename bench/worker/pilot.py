"""What a pilot finds out: how long a step takes, and after how many steps the times stay as they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

from bench.statistics.warmup import steady_from
from bench.worker.answers import RankResult
from bench.worker.jobs import Blocks
from bench.worker.timing import SAMPLE_SECONDS, WARMUP_FRACTION, PilotCourse, choose_blocks, trace

MOST_QUERIES = 4000  # plenty for a 99th percentile's interval; more would only swell the record


def course(run: Callable[[int], object], longest: float, seconds: float, alive: Callable[[], None]) -> PilotCourse:
    """``longest`` seconds of a pilot, or less where its trials of so many ``seconds`` are so short that it would outlast four."""
    return trace(run, min(longest, 4 * seconds), alive)


def settle(measured: RankResult, found: PilotCourse, batch_size: int, seconds: float, single: bool = False) -> None:
    """Put a pilot's course into its answer, and how to cut the trials: samples of blocks, or (``single``) of one query each.

    The end of warm-up is where the change points of the course say; where they cannot tell, a fixed rule is used.
    """
    first = steady_from(found.step_seconds)
    warm = None if first is None else sum(found.steps[:first])
    step = median(found.step_seconds[len(found.steps) // 2 if first is None else first :])
    measured.samples, measured.warmup = found.step_seconds, first or 0
    measured.steady = "assumed" if first is None else "detected"
    measured.steps_per_sample, measured.images_per_sample = 1, batch_size
    measured.batch_size = batch_size
    measured.blocks = _queries(step, seconds, warm) if single else choose_blocks(step, seconds, warm)


def _queries(step: float, seconds: float, warm: int | None) -> Blocks:
    blocks = choose_blocks(step, seconds, warm, sample_seconds=0.0)
    samples = min(blocks.samples, MOST_QUERIES)
    warmup = math.ceil(WARMUP_FRACTION * samples)
    if warm is not None:
        warmup = min(max(warm, math.ceil(SAMPLE_SECONDS / step)), max(warm, warmup))
    return Blocks(steps=1, warmup=warmup, samples=samples, detected=blocks.detected)
