"""The inference phase: one query at a time (single-stream), or batches as fast as they go (offline)."""

from __future__ import annotations

import gc
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Predictor
from bench.in_flight import in_flight
from bench.record.schema import Check
from bench.verify.sharp import sharp_predictions
from bench.verify.timed import check_predictions, images_checked
from bench.verify.witness import witness_predictions
from bench.worker.answers import RankResult
from bench.worker.channel import out_of_memory
from bench.worker.feed import Feed, Place, load_calibrated
from bench.worker.pilot import course, settle
from bench.worker.plugins import depth_of
from bench.worker.timing import SAMPLE_SECONDS, PilotCourse, run_pipelined, time_one_by_one
from bench.worker.workbench import Workbench, note_made, note_samples

PILOT_SECONDS = 1.2
CHOICE_SECONDS = 12.0
"""Of timed batches, in which a batch size is chosen: building, compiling and first batches do not count, whatever they take."""
WORTH_TRYING, CLEARLY_SLOWER = 1.02, 0.8
"""A bigger batch must be so much faster to be chosen; only one that is so much slower ends the search, for pilots are noisy."""

Answers = list[tuple[Place, NDArray[np.floating]]]  # where each batch began in the feed, and its predictions


@dataclass
class Rig:
    """A predictor with its feed, remembering what it answered."""

    predictor: Predictor
    feed: Feed
    depth: int  # batches in flight
    _drawn: tuple[Place, NDArray[np.uint8]] | None = None

    def draw(self) -> None:
        """Make the images of the next batch ready, ahead of its launch."""
        place = self.feed.next_place()
        self._drawn = place, self.feed.batch(place)[0]

    def launch(self) -> tuple[Place, Any]:
        """Stage and enqueue the next batch."""
        if self._drawn is None:
            self.draw()
        assert self._drawn is not None
        (place, images), self._drawn = self._drawn, None
        return place, self.predictor.run(self.predictor.stage(images))

    def wait(self, launched: tuple[Place, Any]) -> tuple[Place, NDArray[np.floating]]:
        """Return where a launched batch began in the feed, and its predictions."""
        return launched[0], self.predictor.wait(launched[1])

    def run(self, batches: int) -> None:
        """Predict some batches."""
        run_pipelined(self.launch, self.wait, batches, self.depth)


def measure_single_stream(bench: Workbench) -> RankResult:
    """Seconds from handing over one image to holding its prediction; every query is a sample."""
    blocks = bench.job.blocks
    if blocks is None:
        found, measured = _pilot(bench, bench.job.case.batch_size)
        settle(measured, found, 1, bench.job.seconds, single=True)
        return measured
    rig, measured = _start(bench, bench.job.case.batch_size)
    with bench.stage("steady"):
        count = blocks.warmup + blocks.samples
        timed = time_one_by_one(lambda: rig.wait(rig.launch()), count, before=_before_each_query(bench, rig))
    note_samples(measured, blocks, timed.samples, 1)
    return _finish(bench, rig, measured, timed.results)


def _before_each_query(bench: Workbench, rig: Rig) -> Callable[[], None]:
    """Make its image ready, which is not timed. Queries are too short for a turn each: one turn lasts as long as a sample of
    another phase."""
    ends = 0.0

    def before() -> None:
        nonlocal ends
        rig.draw()
        if perf_counter() >= ends:
            bench.turn()
            ends = perf_counter() + SAMPLE_SECONDS

    return before


def measure_offline(bench: Workbench) -> RankResult:
    """Images per second at a batch size; a pilot with candidates finds the size first."""
    if bench.job.blocks is None:
        return _choose_batch(bench)
    rig, measured = _start(bench, bench.job.case.batch_size)
    blocks = bench.job.blocks
    total = blocks.warmup + blocks.samples
    answers: Answers = []

    # As many batches are in flight from one sample to the next; between turns, none.
    endless = in_flight((rig.launch() for _ in range((total + 1) * blocks.steps + rig.depth - 1)), rig.wait, rig.depth)

    def sample() -> None:
        if bench.job.in_turns:
            answers.extend(in_flight((rig.launch() for _ in range(blocks.steps)), rig.wait, rig.depth))
        else:
            answers.extend(islice(endless, blocks.steps))

    with bench.stage("steady"):
        bench.turn()
        sample()
        timed = time_one_by_one(sample, total, before=bench.turn, beat=partial(bench.channel.beat, total=total))
        if not bench.job.in_turns:
            list(endless)  # what is still under way was not timed
    note_samples(measured, blocks, timed.samples, bench.job.case.batch_size)
    return _finish(bench, rig, measured, answers)


def _choose_batch(bench: Workbench) -> RankResult:
    """Try the candidates in rising order, until one is clearly slower, memory is out or the time is up; suggest the fastest."""
    candidates = bench.job.candidates or (bench.job.case.batch_size,)
    spent = 0.0
    best: tuple[float, RankResult, dict[str, float], PilotCourse] | None = None
    tried = []
    for size in sorted(candidates):
        gc.collect()  # the predictor before may hold itself, and with it the device's memory
        try:
            found, measured = _pilot(bench, size)
        except Exception as error:
            if best is None or not out_of_memory(error):
                raise
            break
        rate = size / median(found.step_seconds)
        tried.append(size)
        bench.channel.beat(len(tried), len(candidates), f"batch {size}: {rate:.0f} images/s")
        if best is not None and (rate < best[0] * CLEARLY_SLOWER):
            break
        if best is None or rate > best[0] * WORTH_TRYING:
            best = rate, measured, bench.stages, found
        spent += sum(steps * seconds for steps, seconds in zip(found.steps, found.step_seconds, strict=True))
        if spent > CHOICE_SECONDS:
            break
    assert best is not None
    _, measured, bench.stages, found = best
    settle(measured, found, measured.batch_size, bench.job.seconds)
    measured.chosen = f"pilot over {', '.join(map(str, tried))}" if len(candidates) > 1 else ""
    return measured


def _pilot(bench: Workbench, size: int) -> tuple[PilotCourse, RankResult]:
    """The course of batches of this size, and what would be recorded; the predictor is gone afterwards."""
    rig, measured = _start(bench, size)
    with bench.stage("steady"):
        found = course(rig.run, PILOT_SECONDS, bench.job.seconds, bench.alive)
    measured.batch_size = size
    note_made(measured, rig.predictor)
    return found, measured


def _start(bench: Workbench, batch_size: int) -> tuple[Rig, RankResult]:
    assert bench.backend is not None
    bench.stages = {"import": bench.stages["import"]}
    settings = replace(bench.settings, batch_size=batch_size)
    with bench.stage("data"), bench.channel.busy():
        feed = Feed(bench.folder, batch_size, bench.job.seed)
        weights = load_calibrated(bench.folder)
    with bench.stage("build"):
        predictor = bench.backend.predictor(bench.workload, weights, bench.job.place.device, settings)
    compilation = bench.compile(predictor)
    rig = Rig(predictor, feed, 1 if bench.job.case.how.per_query else depth_of(predictor))
    with bench.stage("first_step"):
        rig.wait(rig.launch())
    return rig, RankResult(stages={}, compile=compilation)


def _finish(bench: Workbench, rig: Rig, measured: RankResult, answers: Answers) -> RankResult:
    note_made(measured, rig.predictor)
    bench.timed()
    bench.hear_how_to_check(measured)
    with bench.stage("check"):
        case = bench.job.case
        typical = median(measured.samples[measured.warmup :])
        seen = bench.timed_run(measured.steps_per_sample, typical, ordinary=rig.feed.next)
        with bench.channel.busy():
            weights = load_calibrated(bench.folder)
            measured.checks = [_check(bench, rig, answers)]
        measured.checks += witness_predictions(rig.predictor, bench.workload, weights, case.precision, seen, rig.depth)
        del rig.predictor  # and with it the device's memory
        measured.checks += sharp_predictions(
            measured.checks, bench.subject(bench.workload), bench.precisions, weights, bench.channel.busy, brief=bench.brief
        )
    return measured


def _check(bench: Workbench, rig: Rig, answers: Answers) -> Check:
    """Hold predictions that were timed, of images drawn only now, against the oracle's."""
    expected = (rig.feed.batch_size, bench.workload.network.classes)
    wrong = next((predicted.shape for _, predicted in answers if predicted.shape != expected), None)
    if wrong is not None:
        detail = f"predictions have shape {wrong}, expected {expected}"
        return Check(name="timed predictions", passed=False, detail=detail)
    images, predictions = [], []
    for _ in range(images_checked(bench.workload.network, bench.brief)):
        place, predicted = answers[secrets.randbelow(len(answers))]
        row = secrets.randbelow(len(predicted))
        images.append(rig.feed.image(place, row))
        predictions.append(predicted[row])
    weights = load_calibrated(bench.folder)
    return check_predictions(bench.workload.network, weights, images, predictions, bench.job.case.precision)
