"""``bench train``'s worker: a whole training to the end of its schedule."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from bench.contract import TEST, TRAIN, VALIDATION
from bench.machine.conditions import HOST
from bench.record.schema import Evaluation
from bench.worker.answers import Trained
from bench.worker.channel import Channel
from bench.worker.full_training import FullTraining, load_images, scheduled
from bench.worker.jobs import Train
from bench.worker.plugins import find_backend, find_workload, settings_of


def train(job: Train, channel: Channel) -> Trained:
    """Train from scratch with ``job.seed``."""
    channel.stage("import")
    case, device = job.case, job.place.device
    backend = find_backend(job.backend, case.backend)
    workload = find_workload(job.workload, case.workload, case.size)
    channel.stage("data")
    with channel.busy():
        data = load_images(Path(job.prepared), workload, (TEST,))
    workload = scheduled(replace(workload, seed=job.seed), case.epochs, len(data.parts[TRAIN]))

    def tell(point: Evaluation) -> None:
        channel.beat(point.epoch, case.epochs, say(point))

    settings = replace(settings_of(job), batch_size=workload.batch_size)
    on_host = any(found.id == device and found.physical == HOST for found in backend.probe().devices)
    training = FullTraining(backend, workload, device, settings, data, on_host, tell, channel.alive)
    channel.stage("compile")
    training.build()
    channel.stage("train")
    training.run(case.epochs)
    channel.stage("evaluate")
    test = training.judge(TEST)
    elapsed = time.monotonic() - job.spawned
    return Trained(
        seed=job.seed,
        epochs=case.epochs,
        images=len(data.parts[TRAIN]),
        validation_images=len(data.parts[VALIDATION]),
        test_images=len(data.parts[TEST]),
        elapsed=elapsed,
        curve=training.curve,
        test=test,
    )


def say(point: Evaluation) -> str:
    """An evaluation for a progress line."""
    found = "".join(f", validation {name} {value:.4f}" for name, value in point.measures.items())
    return f"loss {'not a number' if point.loss is None else f'{point.loss:.4f}'}{found}"
