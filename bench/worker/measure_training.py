"""The training phase: golden first steps, warm-up, timed blocks, witness blocks."""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import Any

from bench.contract import Pending, Progress, Trainer
from bench.spec.weights import initial_weights
from bench.verify.sharp import sharp_training
from bench.verify.timed import check_timed_losses, first_steps
from bench.verify.witness import asked_for_weights, witness_training
from bench.worker.answers import RankResult
from bench.worker.augment import seconds_per_batch
from bench.worker.feed import Batches, Feed, FileFeed
from bench.worker.jobs import Blocks
from bench.worker.pilot import course, settle
from bench.worker.timing import TimedBlocks, block_lengths, run_pipelined, time_one_by_one, time_pipelined
from bench.worker.workbench import Workbench, note_made, note_samples

PILOT_SECONDS = 2.0


def measure_training(bench: Workbench) -> RankResult:
    """Images per second of optimizer steps, copying the batch to the device included, and decoding it where it comes from files."""
    case, workload, channel = bench.job.case, bench.workload, bench.channel
    assert bench.backend is not None
    with bench.stage("data"), channel.busy():
        feed = _feed(bench)
        start, workload = first_steps(workload, case.batch_size, case.precision, _most_steps(bench))
        weights = initial_weights(workload.network, workload.seed)
    with bench.stage("build"):
        trainer = bench.backend.trainer(workload, weights, bench.job.place.device, bench.settings)
    compilation = bench.compile(trainer)
    losses = []
    with bench.stage("first_step"):
        losses += _block(trainer, start.batches[:1]).losses.tolist()
    with bench.stage("warmup"):
        for batch in start.batches[1:]:
            losses += _block(trainer, [batch]).losses.tolist()
            channel.beat(len(losses), len(start.batches))
        if bench.job.blocks is not None:
            asked_for_weights(trainer)
    measured = RankResult(stages={}, losses=losses, compile=compilation)
    blocks = bench.job.blocks
    if blocks is None:
        with bench.stage("steady"):
            found = course(
                lambda steps: pipelined_steps(trainer, feed, steps), PILOT_SECONDS, bench.job.seconds, bench.alive
            )
    else:
        with bench.stage("steady"):
            timed = _time(bench, trainer, feed, blocks)
        note_samples(measured, blocks, timed.samples, case.batch_size)
    note_made(measured, trainer)
    bench.timed()
    if blocks is not None:
        bench.hear_how_to_check(measured)
    if blocks is not None and isinstance(feed, Feed):
        # Whole trainings change every image; the timed steps take images as they are.
        bench.stages["augment"] = seconds_per_batch(feed.everything(), case.batch_size, workload.recipe, bench.job.seed)
    with bench.stage("check"):
        with channel.busy():
            measured.checks = [start.check(losses, case.precision)]
        if blocks is None:
            settle(measured, found, case.batch_size, bench.job.seconds)
        else:
            typical = median(measured.samples[blocks.warmup :])
            done = len(losses) + blocks.steps * len(timed.results)
            seen = bench.timed_run(blocks.steps, typical, done, feed.next)
            measured.checks.append(check_timed_losses(timed.results, blocks.steps))
            measured.checks += witness_training(trainer, workload, case.precision, seen)
            del trainer  # and with it the device's memory
            measured.checks += sharp_training(
                measured.checks, bench.subject(workload), bench.precisions, channel.busy, bench.alive, brief=bench.brief
            )
    return measured


def _feed(bench: Workbench) -> Batches:
    case = bench.job.case
    if case.how.reads_files:
        ahead = not bench.on_host
        return FileFeed(bench.folder, bench.workload, case.batch_size, bench.job.seed, case.cores, ahead)
    return Feed(bench.folder, case.batch_size, bench.job.seed)


def _time(bench: Workbench, trainer: Trainer, feed: Batches, blocks: Blocks) -> TimedBlocks:
    count = blocks.warmup + blocks.samples

    def launch() -> Pending:
        return trainer.run([trainer.stage(*feed.next()) for _ in range(blocks.steps)])

    if bench.job.in_turns:
        return time_one_by_one(lambda: trainer.wait(launch()), count, before=bench.turn)
    return time_pipelined(launch, trainer.wait, count, partial(bench.channel.beat, total=count))


def _most_steps(bench: Workbench) -> int:
    """More optimizer steps than this trial will make; a pilot proves nothing, and may make as many as it likes."""
    blocks = bench.job.blocks
    return 0 if blocks is None else 100 + blocks.steps * (blocks.warmup + blocks.samples + 10)


def _block(trainer: Trainer, batches: Any) -> Progress:
    return trainer.wait(trainer.run([trainer.stage(*batch) for batch in batches]))


def pipelined_steps(trainer: Trainer, feed: Batches, steps: int) -> None:
    """So many optimizer steps on the feed's batches, in blocks of which two are in flight, as in a trial."""
    lengths = iter(block_lengths(steps))

    def launch() -> Pending:
        return trainer.run([trainer.stage(*feed.next()) for _ in range(next(lengths))])

    run_pipelined(launch, trainer.wait, len(block_lengths(steps)))
