"""Timed loops. The core owns all timing; a backend only ever sees batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal

from bench.in_flight import in_flight
from bench.statistics.drift import drift
from bench.worker.jobs import Blocks

SAMPLE_SECONDS = 0.4
"""Length of one sample. Reading the clock and waiting cost tens of microseconds, and summing the squares of eleven million
weights at the end of each block two milliseconds: this keeps both below 1 %."""

WARMUP_SAMPLES, WARMUP_FRACTION = 2, 0.2
"""The fixed warm-up rule: at least this many samples, and this fraction of the steady ones."""

FEWEST_SAMPLES = 5

IN_FLIGHT = 2
"""Blocks or batches that are under way at once, unless a scenario or a predictor says otherwise."""

BLOCKS_IN_FLIGHT = 4
"""Into how many blocks a run of steps is cut where nothing but its whole time counts, so that two can be in flight as in a trial."""

PILOT_BLOCKS, FEWEST_PILOT_BLOCKS = 40, 12
"""Into how many blocks a pilot cuts its time, and how many it makes up to twice that time."""


@dataclass
class TimedBlocks:
    """Durations in seconds of consecutive blocks, and what each block gave back."""

    samples: list[float] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)


def time_pipelined(
    launch: Callable[[], Any],
    wait: Callable[[Any], Any],
    count: int,
    beat: Callable[[int], None] = lambda done: None,
    clock: Callable[[], float] = perf_counter,
    depth: int = IN_FLIGHT,
) -> TimedBlocks:
    """Time ``count`` blocks with ``depth`` of them in flight.

    A sample is the time from one block's completion to the next one's: with a device that works while the host enqueues,
    copies overlap arithmetic as in real training; with one that works inside ``launch``, it is that block's own time. One
    block runs before the first sample, and blocks are in flight behind the last, so that all samples see the same.
    """
    timed = TimedBlocks()
    previous = 0.0
    for done, result in enumerate(in_flight((launch() for _ in range(count + depth)), wait, depth)):
        timed.results.append(result)
        now = clock()
        if 1 <= done <= count:
            timed.samples.append(now - previous)
        previous = now
        if 1 <= done <= count:
            beat(done)
    return timed


def run_pipelined(launch: Callable[[], Any], wait: Callable[[Any], Any], count: int, depth: int = IN_FLIGHT) -> list[Any]:
    """Run ``count`` launches, ``depth`` of them in flight; what each gave back."""
    return list(in_flight((launch() for _ in range(count)), wait, depth))


def time_one_by_one(
    query: Callable[[], Any],
    count: int,
    clock: Callable[[], float] = perf_counter,
    before: Callable[[], None] = lambda: None,
    beat: Callable[[int], None] = lambda done: None,
) -> TimedBlocks:
    """Time ``count`` queries, each from its start to its answer; ``before`` runs ahead of each and ``beat`` after, untimed."""
    timed = TimedBlocks()
    for done in range(1, count + 1):
        before()
        started = clock()
        result = query()
        timed.samples.append(clock() - started)
        timed.results.append(result)
        beat(done)
    return timed


@dataclass(frozen=True)
class PilotCourse:
    """The course of a pilot: consecutive blocks of so many steps, and seconds per step in each."""

    steps: list[int]
    step_seconds: list[float]


def trace(
    run: Callable[[int], object],
    budget: float,
    beat: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = perf_counter,
) -> PilotCourse:
    """Time blocks of 1, 2, 4 … steps until one takes ``budget / PILOT_BLOCKS`` seconds, then equal ones to the end of the
    budget; on to twice the budget where there would be fewer than ``FEWEST_PILOT_BLOCKS``. ``beat`` is called after each."""
    found = PilotCourse([], [])
    begun, steps = clock(), 1
    while True:
        started = clock()
        run(steps)
        now = clock()
        found.steps.append(steps)
        found.step_seconds.append((now - started) / steps)
        beat()
        if now - started < budget / PILOT_BLOCKS:
            steps *= 2
        if now - begun >= budget * (1 if len(found.steps) >= FEWEST_PILOT_BLOCKS else 2):
            return found


def block_lengths(steps: int) -> list[int]:
    """``steps`` cut into blocks of nearly equal length, ``BLOCKS_IN_FLIGHT`` of them or one for each step."""
    blocks = min(steps, BLOCKS_IN_FLIGHT)
    return [steps // blocks + (place < steps % blocks) for place in range(blocks)]


def seconds_per_step(run: Callable[[int], object], budget: float, clock: Callable[[], float] = perf_counter) -> float:
    """Seconds per step from runs of 1, 2, 4 … steps, the last of which takes at least half of ``budget``."""
    steps = 1
    while True:
        started = clock()
        run(steps)
        elapsed = clock() - started
        if elapsed >= budget / 2:
            return elapsed / steps
        steps *= 2


def choose_blocks(
    step_seconds: float, seconds: float, warm: int | None = None, sample_seconds: float = SAMPLE_SECONDS
) -> Blocks:
    """How to cut ``seconds`` of steady state into samples of ``sample_seconds``, or shorter ones where there would be too few.

    ``warm``: steps until the steady state, as far as a pilot could tell; one sample at least is warm-up.
    """
    sample_seconds = min(sample_seconds, seconds / FEWEST_SAMPLES)
    steps = max(1, round(sample_seconds / step_seconds))
    samples = max(FEWEST_SAMPLES, math.ceil(seconds / (steps * step_seconds)))
    if warm is None:
        return Blocks(steps=steps, warmup=max(WARMUP_SAMPLES, math.ceil(WARMUP_FRACTION * samples)), samples=samples)
    return Blocks(steps=steps, warmup=max(1, math.ceil(warm / steps)), samples=samples, detected=True)


def steadiness(samples: Sequence[float], blocks: Blocks) -> Literal["assumed", "detected", "moving"]:
    """What a trial's samples, warm-up included, say of its steady state. Reports look for slowing themselves, in any record's samples."""
    if drift(samples[blocks.warmup :]) == "faster":
        return "moving"
    return "detected" if blocks.detected else "assumed"
