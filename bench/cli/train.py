"""``bench train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import data_options, data_spec, device_options, interpreters, pairs, plugin_options

if TYPE_CHECKING:
    from bench.run.trainings import Summary, Training


@click.command(name="train")
@device_options
@click.option("--size", default="tiny", show_default=True, metavar="SIZE", help="tiny, small or standard.")
@click.option("--precision", default="fp32", show_default=True, metavar="NAME", help="float64, fp32, tf32 or bf16.")
@click.option("--epochs", type=int, metavar="N", help="Default: the workload's.")
@click.option(
    "--seeds", type=int, default=1, show_default=True, metavar="N", help="How many trainings, each from other weights."
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="The first seed.")
@click.option("--threads", type=int, metavar="N", help="Host cores to use. Default: all that this process is given.")
@data_options
@plugin_options
@click.option("-o", "--output", metavar="FILE", help="Also write every figure to this JSON file.")
@click.option("--wait", is_flag=True, help="Queue behind another run on the same processors.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(**values: Any) -> None:
    """Train to the end on real or synthetic images and report the test AUC, seed by seed.

    Every backend sees the same weights, batches and augmentation for a seed. The AUC is that of the last class against the
    rest on the test images, averaged over four views of each.

    \b
    bench train --data ham10000_28.npz --seeds 5
    """
    from bench.run.plan import Wishes
    from bench.run.trainings import train_all

    wishes = Wishes(
        backends=values["backends"],
        devices=values["devices"],
        workload=values["workload"],
        sizes=(values["size"],),
        precisions=(values["precision"],),
        seed=values["seed"],
        threads=values["threads"],
        data=data_spec(values, values["seed"]),
        options=pairs(values["options"], "--option"),
    )

    def say(text: str) -> None:
        if not values["quiet"]:
            click.echo(text, err=True)

    finished = []
    chosen = interpreters(values["interpreter_words"])
    for training in train_all(wishes, values["epochs"], values["seeds"], chosen, values["wait"], say):
        finished.append(training)
        click.echo(_line(training))
    _report(finished, values["output"])
    sys.exit(6 if any(training.trained is None for training in finished) else 0)


def _line(training: Training) -> str:
    head = f"{training.device} {training.precision} seed {training.seed}:"
    if training.trained is None:
        return f"{head} {training.trouble}"
    trained = training.trained
    validation = "" if trained.validation_auc is None else f", validation {trained.validation_auc:.4f}"
    return f"{head} test AUC {trained.test_auc:.4f}{validation}, {trained.epochs} epochs in {trained.total_seconds:.1f} s"


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
    """Mean AUC with its one-sided lower 95 % limit by Student's t over seeds."""
    from math import sqrt
    from statistics import mean, stdev

    count = len(summary.aucs)
    text = f"{summary.device} {summary.precision}: mean test AUC {mean(summary.aucs):.4f} over {count} seeds"
    if count > 1:
        from scipy.special import stdtrit

        limit = mean(summary.aucs) - stdtrit(count - 1, 0.95) * stdev(summary.aucs) / sqrt(count)
        text += f", lower 95 % limit {limit:.4f}"
    return f"{text}, mean time {mean(summary.seconds):.1f} s"
