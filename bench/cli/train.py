"""``bench train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options

if TYPE_CHECKING:
    from bench.run.trainings import Summary, Training


@click.command(name="train")
@options.devices
@click.option("--size", default="tiny", show_default=True, metavar="SIZE", help="tiny, small or standard.")
@click.option("--precision", default="fp32", show_default=True, metavar="NAME", help="float64, fp32, tf32 or bf16.")
@click.option("--epochs", type=int, metavar="N", help="Default: the workload's.")
@click.option(
    "--seeds", type=int, default=1, show_default=True, metavar="N", help="How many trainings, each from other weights."
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="The first seed.")
@options.threads
@options.images
@options.plugins
@options.stall
@click.option("-o", "--output", metavar="FILE", help="Also write every figure to this JSON file.")
@options.wait
@options.quiet
def command(**values: Any) -> None:
    """Train to the end on real or synthetic images and report AUC and accuracy on the test images, seed by seed.

    Every backend sees the same weights, batches and augmentation for a seed. The AUC is that of one class against the rest,
    the mean over classes; predictions are averaged over mirror images. Nothing is recorded: for the time to a target, with
    evidence, use bench run --until-quality. Interrupted, it still sums up the trainings that have ended.

    \b
    bench train --data ham10000_28.npz --seeds 5
    bench train --workload dermamnist --data ham10000_28.npz --precision bf16
    """
    from contextlib import closing

    from bench.run.interruption import Interrupted, interruptible, uninterrupted
    from bench.run.trainings import train_all
    from bench.text.words import plural

    wishes = options.wishes_of(values, sizes=(values["size"],), precisions=(values["precision"],), epochs=values["epochs"])
    if values["output"] is not None:
        from bench.cli.report import check_writable

        check_writable(Path(values["output"]))
    finished: list[Training] = []
    chosen, say = options.interpreters(values["interpreter_words"]), options.progress(values["quiet"])
    try:
        with interruptible(), closing(train_all(wishes, values["seeds"], chosen, values["wait"], say)) as trainings:
            for training in trainings:
                finished.append(training)
                click.echo(_line(training))
    except Interrupted as interrupt:
        with uninterrupted():
            click.echo(f"bench: interrupted; {plural(len(finished), 'training')} ended before", err=True)
            if finished:
                _report(finished, values["output"])
        sys.exit(interrupt.code)
    _report(finished, values["output"])
    failed = any(training.trained is None and not training.skipped for training in finished)
    sys.exit(4 if all(training.trained is None for training in finished) else 6 if failed else 0)


def _line(training: Training) -> str:
    head = f"{training.device} {training.precision} seed {training.seed}:"
    if training.trained is None:
        return f"{head} {training.trouble}"
    from bench.record.quality import measure_name

    trained = training.trained
    test = ", ".join(f"{measure_name(name)} {value:.4f}" for name, value in trained.test.items())
    return f"{head} test {test}, {trained.epochs} epochs in {trained.seconds:.1f} s"


def _report(finished: list[Training], output: str | None) -> None:
    from bench.run.trainings import summarise

    for summary in summarise(finished):
        click.echo(_summary(summary))
    if output is not None:
        import msgspec

        from bench.errors import UsageError

        try:
            Path(output).write_bytes(msgspec.json.format(msgspec.json.encode(finished), indent=1) + b"\n")
        except OSError as error:
            raise UsageError(f"cannot write {output}: {error.strerror}") from None


def _summary(summary: Summary) -> str:
    """Means with their one-sided lower 95 % limits by Student's t over seeds, on the logit scale; no limit where it says nothing."""
    from statistics import mean

    from bench.record.quality import measure_name
    from bench.statistics.proportions import lower_limit
    from bench.text.words import plural

    count = len(summary.seconds)
    parts = []
    for name, values in summary.test.items():
        text = f"{measure_name(name)} {mean(values):.4f}"
        limit = lower_limit(values)
        text += "" if limit is None else f" (lower 95 % limit {limit:.4f})"
        parts.append(text)
    head = f"{summary.device} {summary.precision}: over {plural(count, 'seed')}, mean test "
    return f"{head}{', '.join(parts)}, mean time {mean(summary.seconds):.1f} s"
