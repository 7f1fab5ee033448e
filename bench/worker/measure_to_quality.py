"""Time to quality: train until the validation images say that the target is reached, with evaluations inside the clock, as
MLPerf Training does (Mattson et al., MLSys 2020, arXiv:1910.01500); then prove that the training was the specification's."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count
from statistics import median

import numpy as np

from bench.contract import TEST, TRAIN
from bench.record.schema import Check, Evaluation
from bench.verify.sharp import sharp_training
from bench.verify.timed import check_predictions, images_checked
from bench.verify.witness import witness_training
from bench.worker.answers import RankResult
from bench.worker.full_training import FullTraining, load_images, scheduled
from bench.worker.train import say
from bench.worker.workbench import Workbench, note_made


def measure_to_quality(bench: Workbench) -> RankResult:
    """One training with the job's seed; its curve, and its measures on the test images."""
    case = bench.job.case
    assert bench.backend is not None
    with bench.stage("data"), bench.channel.busy():
        workload = replace(bench.workload, seed=bench.job.seed, batch_size=case.batch_size)
        data = load_images(bench.folder, workload)
        workload = scheduled(workload, case.epochs, len(data.parts[TRAIN]))

    def tell(point: Evaluation) -> None:
        bench.channel.beat(point.epoch, case.epochs, say(point))

    training = FullTraining(
        bench.backend, workload, bench.job.place.device, bench.settings, data, bench.on_host, tell, bench.alive
    )
    compilation = bench.compilation()
    with bench.stage("compile"):
        trainer = training.build()
    with bench.stage("steady"):
        training.run(case.epochs, case.targets)
    measured = RankResult(stages={}, curve=training.curve, batch_size=case.batch_size, steady="")
    measured.compile = compilation if hasattr(trainer, "compile") else ""
    note_made(measured, trainer)
    bench.timed()
    bench.hear_how_to_check(measured)
    with bench.stage("check"):
        measured.test = training.judge(TEST)
        measured.checks = [_check_predictions(bench, training), *_witness(bench, training)]
        subject = bench.subject(training.workload)
        del trainer, training  # and with them the device's memory
        measured.checks += sharp_training(
            measured.checks, subject, bench.precisions, bench.channel.busy, bench.alive, brief=bench.brief
        )
    return measured


def _check_predictions(bench: Workbench, training: FullTraining) -> Check:
    """What the weights that were judged predict for some test images, against the oracle."""
    chosen = training.data.parts[TEST][: images_checked(training.workload.network, bench.brief)]
    weights = training.weights()
    found = training.predict(weights, chosen, views=1)
    images = [np.asarray(image) for image in training.data.images[chosen]]
    network, precision = training.workload.network, bench.job.case.precision
    with bench.channel.busy():
        return check_predictions(network, weights, images, list(found), precision, "final predictions")


def _witness(bench: Workbench, training: FullTraining) -> list[Check]:
    """The trainer goes on, on images made up on the spot."""
    later = chain.from_iterable(training.batches(epoch) for epoch in count(bench.job.case.epochs))
    steps = training.steps_per_block
    seconds = steps * median(training.step_seconds)
    timed = bench.timed_run(steps, seconds, training.steps, lambda: next(later))
    return witness_training(training.trainer, training.workload, bench.job.case.precision, timed)
