"""Training to the end: the workload's network on its training images, then the area under the ROC curve on its test images.

Augmentation (flips and quarter turns) is done on the host from seeded NumPy streams, so that every backend sees the same
batches; test predictions are averaged over four views (as is, flipped either way, and both).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bench.contract import TEST, TRAIN, VALIDATION, Backend, Predictor, Settings, Workload
from bench.errors import DataError
from bench.spec import Weights, initial_weights
from bench.verify.batches import Batch
from bench.verify.equivalence import compiled
from bench.worker.answers import Trained
from bench.worker.channel import Channel
from bench.worker.feed import load_arrays
from bench.worker.jobs import Train
from bench.worker.plugins import find_backend, find_workload

STEPS_PER_BLOCK = 16
EVALUATION_BATCH = 256


def train(job: Train, channel: Channel) -> Trained:
    """Train from scratch with ``job.seed`` and evaluate once, at the end."""
    channel.stage("import")
    backend = find_backend(job.backend, job.name)
    workload = find_workload(job.workload, job.workload_name, job.size)
    images, labels = load_arrays(Path(job.prepared))
    split = np.load(Path(job.prepared) / "split.npy", allow_pickle=False)
    parts = {part: np.flatnonzero(split == part) for part in (TRAIN, VALIDATION, TEST)}
    workload = scheduled(replace(workload, seed=job.seed), job.epochs, len(parts[TRAIN]))
    _refuse_hopeless(workload, labels, parts)
    started = perf_counter()
    weights, losses = _fit(backend, workload, job, (images[parts[TRAIN]], labels[parts[TRAIN]]), channel)
    fitted = perf_counter()
    channel.stage("evaluate")
    settings = Settings(job.precision, EVALUATION_BATCH, job.threads, None, job.options)
    predictor = compiled(backend.predictor(workload, weights, job.device, settings))
    aucs = {
        part: area_under_curve(_four_views(predictor, images[index]), labels[index])
        for part, index in parts.items()
        if part != TRAIN and len(np.unique(labels[index])) > 1
    }
    return Trained(
        seed=job.seed,
        epochs=job.epochs,
        images=len(parts[TRAIN]),
        test_images=len(parts[TEST]),
        test_auc=aucs[TEST],
        validation_auc=aucs.get(VALIDATION),
        losses=losses,
        training_seconds=fitted - started,
        total_seconds=perf_counter() - started,
    )


def scheduled(workload: Workload, epochs: int, images: int) -> Workload:
    """The workload with its schedule stretched over ``epochs`` of ``images``; the first epoch warms up."""
    steps = max(1, images // workload.batch_size)
    schedule = replace(workload.optimizer.schedule, warmup_steps=steps, total_steps=epochs * steps)
    return replace(workload, optimizer=replace(workload.optimizer, schedule=schedule))


def _refuse_hopeless(workload: Workload, labels: NDArray[np.int32], parts: dict[int, NDArray[np.int64]]) -> None:
    if len(parts[TRAIN]) < workload.batch_size:
        raise DataError(
            f"training needs at least one batch of {workload.batch_size} images; the training part holds {len(parts[TRAIN])}"
        )
    if len(np.unique(labels[parts[TEST]])) < 2:
        raise DataError(f"the test part ({len(parts[TEST])} images) holds one class only; an AUC needs two")


def _fit(backend: Backend, workload: Workload, job: Train, data: Batch, channel: Channel) -> tuple[Weights, list[float]]:
    settings = Settings(job.precision, workload.batch_size, job.threads, None, job.options)
    weights = initial_weights(workload.network, workload.seed)
    channel.stage("compile")
    trainer = compiled(backend.trainer(workload, weights, job.device, settings))
    channel.stage("train")
    losses: list[float] = []
    for epoch in range(job.epochs):
        batches = epoch_batches(data, workload.batch_size, job.seed, epoch)
        total, steps, pending = 0.0, 0, None
        while block := [trainer.stage(*batch) for batch in islice(batches, STEPS_PER_BLOCK)]:
            following = trainer.run(block)
            steps += len(block)
            if pending is not None:
                total += float(trainer.wait(pending).losses.sum())
            pending = following
        if pending is not None:
            total += float(trainer.wait(pending).losses.sum())
        losses.append(total / steps)
        channel.beat(epoch + 1, job.epochs, f"loss {losses[-1]:.4f}")
    return trainer.weights(), losses


def epoch_batches(data: Batch, batch_size: int, seed: int, epoch: int) -> Iterator[Batch]:
    """One epoch's full batches in a fresh order, each image flipped and turned at random; the partial batch is dropped."""
    images, labels = data
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(labels))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        chosen = order[start : start + batch_size]
        batch = images[chosen]
        turns = rng.integers(0, 8, batch_size)
        for turn in range(1, 8):
            at = np.flatnonzero(turns == turn)
            flipped = batch[at][:, :, ::-1] if turn & 4 else batch[at]
            batch[at] = np.rot90(flipped, turn & 3, axes=(1, 2)) if batch.shape[1] == batch.shape[2] else flipped
        yield batch, labels[chosen]


def _four_views(predictor: Predictor, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Probability of the last class (n,), the mean over four views; the last batch is padded to the constant shape."""
    total = np.zeros(len(images))
    for flip in (slice(None), slice(None, None, -1)):
        for turn in (slice(None), slice(None, None, -1)):
            view = images[:, flip, turn]
            for start in range(0, len(view), EVALUATION_BATCH):
                chunk = np.ascontiguousarray(view[start : start + EVALUATION_BATCH])
                missing = EVALUATION_BATCH - len(chunk)
                padded = np.pad(chunk, ((0, missing), (0, 0), (0, 0), (0, 0)))
                predicted = predictor.wait(predictor.run(predictor.stage(padded)))
                total[start : start + len(chunk)] += predicted[: len(chunk), -1]
    return total / 4


def area_under_curve(scores: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """Area under the ROC curve of the last class against the rest: the Mann-Whitney statistic over n1 * n0."""
    from scipy.stats import mannwhitneyu

    positive = labels == labels.max()
    statistic = mannwhitneyu(scores[positive], scores[~positive]).statistic
    return float(statistic / (positive.sum() * (~positive).sum()))
