"""The proofs that every trial of ``bench run`` makes, on a miniature trial: first steps, timed blocks, witness blocks.

Two of those checks look at the clock. Another process may disturb it, so a trial that fails by the clock alone is made again,
``ATTEMPTS`` times in all: a device that skips work fails every time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle, islice
from statistics import median

import numpy as np

from bench.contract import Pending, Workload
from bench.record.schema import Check
from bench.spec.weights import initial_weights
from bench.testing.predicting import Questions
from bench.verify.batches import Batch, Images
from bench.verify.equivalence import Subject, compiled
from bench.verify.pace import TimedRun
from bench.verify.sharp import sharp_training
from bench.verify.timed import check_predictions, check_timed_losses, first_steps
from bench.verify.unforeseen import unforeseen_images
from bench.verify.witness import asked_for_weights, witness_predictions, witness_training
from bench.worker.plugins import depth_of
from bench.worker.timing import time_pipelined

ATTEMPTS = 3
SAMPLES, STEPS = 5, 8
BATCHES = 10
"""They come round again, which those of ``bench run`` never do: a device that remembers them is quicker than it will be as a witness.
In inference as many are timed as there are, and then come again beside witness batches, so that a device that remembers some of them
only is told too."""

PAIRS, FEW_PAIRS = 64, 16
"""Of an ordinary and a witness batch: among so many, one in five that is remembered lies beyond chance. A slow device makes few."""

SLOW = 0.1
"""Seconds: a step that takes longer makes a sample of its own."""


def timed_training(subject: Subject) -> list[Check]:
    """A miniature training trial and its proof."""
    return _repeatedly(lambda: _training_trial(subject))


def timed_predictions(subject: Subject) -> list[Check]:
    """A miniature offline inference trial and its proof."""
    return _repeatedly(lambda: _inference_trial(subject))


def _repeatedly(trial: Callable[[], list[Check]]) -> list[Check]:
    for _ in range(ATTEMPTS):
        checks = trial()
        failed = [check for check in checks if not check.passed]
        if not failed or not all(check.clock for check in failed):
            break
    return checks


def _steps(run: Callable[[int], object]) -> int:
    """How many steps make a sample."""
    started = time.perf_counter()
    run(2)
    return STEPS if (time.perf_counter() - started) / 2 < SLOW else 1


def _training_trial(subject: Subject) -> list[Check]:
    workload, settings = subject.workload, subject.settings
    start, workload = first_steps(workload, settings.batch_size, settings.precision, STEPS * (2 * SAMPLES + 10))
    weights = initial_weights(workload.network, workload.seed)
    trainer = compiled(subject.backend.trainer(workload, weights, subject.device, settings))
    losses: list[float] = []
    for batch in start.batches:
        losses += trainer.wait(trainer.run([trainer.stage(*batch)])).losses.tolist()
    rng = np.random.default_rng(31)
    asked_for_weights(trainer, rng)
    feed = cycle([_ordinary_batch(workload, settings.batch_size, rng) for _ in range(BATCHES)])
    done = len(losses)

    def launch(steps: int) -> Pending:
        nonlocal done
        done += steps
        return trainer.run([trainer.stage(*batch) for batch in islice(feed, steps)])

    steps = _steps(lambda count: trainer.wait(launch(count)))
    timed = time_pipelined(lambda: launch(steps), trainer.wait, SAMPLES, clock=time.perf_counter)
    seen = TimedRun(settings.batch_size, steps, median(timed.samples), done, lambda: next(feed))
    checks = [
        start.check(losses, settings.precision),
        check_timed_losses(timed.results, steps),
        *witness_training(trainer, workload, settings.precision, seen, rng),
    ]
    return checks + sharp_training(checks, replace(subject, workload=workload), _offered(subject), rng=rng)


def _offered(subject: Subject) -> Sequence[str]:
    """The precisions of the subject's device."""
    return next(device.precisions for device in subject.backend.probe().devices if device.id == subject.device)


def _ordinary_batch(workload: Workload, batch_size: int, rng: np.random.Generator) -> Batch:
    """Images that are all different, as those of a data set are; a witness batch repeats a few."""
    labels = rng.integers(0, workload.network.classes, batch_size).astype(np.int32)
    return unforeseen_images(workload, batch_size, rng), labels


def _inference_trial(subject: Subject) -> list[Check]:
    workload, settings = subject.workload, subject.settings
    weights = Questions(subject).weights
    predictor = subject.predictor(weights)
    rng = np.random.default_rng(32)
    batches = [unforeseen_images(workload, settings.batch_size, rng) for _ in range(SAMPLES * STEPS)]
    feed = cycle(batches)
    depth = depth_of(predictor)
    asked: list[Images] = []

    def launch() -> Pending:
        asked.append(next(feed))
        return predictor.run(predictor.stage(asked[-1]))

    steps = _steps(lambda count: [predictor.wait(launch()) for _ in range(count)])
    feed = cycle(batches[: SAMPLES * steps])
    asked.clear()
    timed = time_pipelined(launch, predictor.wait, SAMPLES * steps, clock=time.perf_counter, depth=depth)
    samples = [sum(timed.samples[at : at + steps]) for at in range(0, len(timed.samples), steps)]
    rows = rng.integers(0, settings.batch_size, len(asked))
    images = [batch[row] for batch, row in zip(asked, rows, strict=True)]
    predictions = [answer[row] for answer, row in zip(timed.results, rows, strict=True)]

    def ordinary() -> Batch:
        return next(feed), np.zeros(0, np.int32)

    pairs = PAIRS if steps == STEPS else FEW_PAIRS
    seen = TimedRun(settings.batch_size, steps, median(samples), ordinary=ordinary, pairs=pairs)
    return [
        check_predictions(workload.network, weights, images, predictions, settings.precision),
        *witness_predictions(predictor, workload, weights, settings.precision, seen, depth, rng),
    ]


def trial_batches(subject: Subject) -> Subject:
    """The subject at the batch size that its workload is timed at, and at no less than two golden batches, so that the first batches of a
    trial repeat their images."""
    size = max(2 * subject.settings.batch_size, subject.workload.batch_size)
    return replace(subject, settings=replace(subject.settings, batch_size=size))
