"""``bench doctor``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options

if TYPE_CHECKING:
    from bench.check.noise import Noise


@click.command(name="doctor")
@options.devices
@click.option("--size", default="tiny", show_default=True, metavar="SIZE", help="Of the workload to measure noise with.")
@click.option("--budget", default="2m", show_default=True, metavar="TIME", help="Time to spend on measuring noise.")
@click.option("--seconds", type=float, default=3.0, show_default=True, metavar="S", help="Steady state in each trial.")
@click.option("--no-noise", is_flag=True, help="Only look at the machine; measure nothing.")
@options.style()
@options.stall
@options.wait
@options.quiet
def command(**values: Any) -> None:
    """What on this machine would spoil a measurement, and the remedy.

    Then two minutes of unchanged code against itself, which tell how much this machine's measurements scatter and what
    slow-down 'bench check' can find here in what time; it plans its budget by that from then on.
    """
    import msgspec

    from bench.machine.health import findings

    found = findings()
    if values["style"] == "json":
        noise = [] if values["no_noise"] else _measure(values)
        click.echo(msgspec.json.format(msgspec.json.encode({"findings": found, "noise": noise}), indent=1).decode())
        return
    for finding in found:
        click.echo(f"{finding.severity:8} {finding.name}: {finding.found}\n         remedy: {finding.remedy}")
    if not found:
        click.echo("nothing found that would spoil a measurement")
    for one in [] if values["no_noise"] else _measure(values):
        _tell(one)


def _measure(values: dict[str, Any]) -> list[Noise]:
    from bench.check.noise import measure_noise
    from bench.run.plan import Wishes

    wishes = Wishes(
        backends=values["backends"],
        devices=values["devices"],
        workload=values["workload"],
        sizes=(values["size"],),
        phases=("train",),
        precisions=("fp32",),
        seconds=values["seconds"],
        ceilings=False,
        stall=values["stall_timeout"],
        command=["bench", *sys.argv[1:]],
    )
    say = options.progress(values["quiet"])
    return measure_noise(wishes, options.parse_duration(values["budget"], "--budget"), values["wait"], values["quiet"], say)


def _tell(noise: Noise) -> None:
    click.echo(f"\n{noise.label}: unchanged code against itself, {noise.pairs} pairs of {noise.pair_seconds:.1f} s")
    click.echo(f"  pairs scatter by {100 * noise.scatter:.1f} %; processes one after the other by {100 * noise.apart:.1f} %")
    click.echo(
        f"  best trial: {noise.samples} samples, {noise.best_seconds:.1f} s of steady state (--seconds {noise.best_seconds:.0f})"
    )
    for pairs, detectable in noise.detectable.items():
        minutes = pairs * noise.pair_seconds / 60
        click.echo(
            f"  {pairs:>3} pairs, {minutes:.1f} min: finds a slow-down of {100 * detectable:.1f} % four times in five"
        )
