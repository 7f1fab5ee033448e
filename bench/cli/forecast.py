"""``bench forecast-check``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options

if TYPE_CHECKING:
    from bench.record.schema import Case, Forecast


@click.command(name="forecast-check")
@options.devices
@click.option(
    "--size", metavar="SIZE", default="tiny", show_default=True, help="One whose training is short enough to be done."
)
@options.many("--precision", "precisions", "NAME", "Repeatable. Default: fp32.")
@click.option("--epochs", type=int, metavar="N", help="Of each training. Default: the workload's.")
@click.option("--forecasts", type=int, default=3, show_default=True, metavar="N", help="Of each device in each precision.")
@click.option(
    "--trials", type=int, default=3, show_default=True, metavar="N", help="Fresh processes that a forecast is made from."
)
@click.option("--seconds", type=float, default=2.0, show_default=True, metavar="S", help="Steady state in each of them.")
@options.threads
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of the first forecast.")
@options.images
@options.plugins
@options.stall
@options.results("Folder that gets the records behind them, which hold the forecasts, too.")
@options.wait
@options.quiet
def command(**values: Any) -> None:
    """Predict whole trainings from seconds of measurement, then do them, and report the errors.

    The prediction is that of bench report for the images at hand, trained from memory; the time is that of a fresh process from
    its start to its last evaluation. The interval is a 95 % interval for a single process.

    \b
    bench forecast-check --backend cpu --backend jax --forecasts 10
    """
    from bench.check.forecast import forecasts
    from bench.errors import UsageError
    from bench.run.folders import check_makeable
    from bench.run.plan import MOST_TRIALS

    if not 1 <= values["forecasts"] <= MOST_TRIALS:
        raise UsageError(f"{values['forecasts']} forecasts are not possible; expected 1 to {MOST_TRIALS:,}")
    if values["trials"] < 2:
        raise UsageError(f"--trials {values['trials']} gives no interval to hold a training against; expected 2 or more")
    check_makeable(Path(values["output"]), "results", "--output")
    wishes = options.wishes_of(
        values,
        sizes=(values["size"],),
        phases=("train", "infer"),
        precisions=values["precisions"] or ("fp32",),
        trials=values["trials"],
        seconds=values["seconds"],
        epochs=values["epochs"],
        ceilings=False,
    )
    chosen = options.interpreters(values["interpreter_words"])
    finished: dict[str, list[Forecast]] = {}
    for case, forecast in forecasts(
        wishes, chosen, values["forecasts"], Path(values["output"]), values["wait"], values["quiet"]
    ):
        finished.setdefault(_name(case), []).append(forecast)
        click.echo(_line(_name(case), forecast))
    for name, found in finished.items():
        click.echo(_sum(name, found))
    if len(finished) > 1:
        click.echo(_sum("all", [forecast for found in finished.values() for forecast in found]))


def _name(case: Case) -> str:
    return f"{case.device} {case.precision}"


def _line(name: str, forecast: Forecast) -> str:
    from bench.durations import duration
    from bench.record.forecasts import covered, error

    low, high = forecast.low, forecast.high
    interval = "" if low is None or high is None else f" ({duration(low)} to {duration(high)})"
    return (
        f"{name}, {forecast.epochs} epochs: predicted {duration(forecast.predicted)}{interval}, "
        f"took {duration(forecast.measured)}, error {100 * error(forecast):+.1f} %{'' if covered(forecast) else ', not covered'}"
    )


def _sum(name: str, found: Sequence[Forecast]) -> str:
    from bench.record.forecasts import account

    told = account(found)
    return (
        f"{name}: median error {100 * told.median_error:.1f} %, worst {100 * told.worst_error:.1f} %, "
        f"the 95 % interval covered {told.covered} of {told.count}"
    )
