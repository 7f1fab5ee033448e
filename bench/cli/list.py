"""``bench list``."""

from __future__ import annotations

from typing import Any

import click

from bench.cli import options


@click.command(name="list")
@options.style("For people, or for programs.")
@options.interpreter
@options.stall
def command(style: str, interpreter_words: tuple[str, ...], stall_timeout: float, passed: tuple[str, ...]) -> None:
    """Backends, devices, workloads and reporters, and why something is unavailable."""
    from bench.run.discovery import Discovery, discover, lacking
    from bench.run.limits import checked_stall
    from bench.text.formats import FORMATS

    found: Discovery = discover(None, options.interpreters(interpreter_words), stall=checked_stall(stall_timeout))
    if style == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(_plain(found, FORMATS)), indent=2).decode())
        return
    click.echo("Backends")
    for backend in found.backends:
        versions = ", ".join(f"{name} {version}" for name, version in backend.info.versions.items())
        click.echo(f"  {backend.info.name}  ({versions or 'version unknown'}; plugin {_source(backend)})")
        for device in backend.info.devices:
            name = device.name or "host processor"
            click.echo(
                f"    {device.id}  {name}; {', '.join(device.precisions)}{'' if device.trains else '; inference only'}"
            )
        if not backend.info.devices:
            click.echo(f"    unavailable: {backend.info.reason}")
    click.echo("Workloads")
    for workload in found.workloads:
        says = f"unavailable: {workload.info.broken}" if workload.info.broken else workload.info.summary
        click.echo(f"  {workload.info.name} {workload.info.size}  {says}")
        for lacks in filter(None, (lacking(backend, workload) for backend in found.backends)):
            click.echo(f"    skipped: {lacks}")
    click.echo("Reporters")
    click.echo(f"  {', '.join([*FORMATS, *(f'{one.info} (plugin {_source(one)})' for one in found.reporters)])}")
    if found.broken:
        click.echo("Plugins that cannot be used")
        for name, reason in found.broken.items():
            click.echo(f"  {name}  {reason}")


def _source(found: Any) -> str:
    return f"{found.plugin.name} of {found.plugin.distribution or found.plugin.module}"


def _plain(found: Any, reporters: Any) -> dict[str, Any]:
    return {
        "backends": [{"plugin": b.plugin, "backend": b.info} for b in found.backends],
        "workloads": [{"plugin": w.plugin, "workload": w.info} for w in found.workloads],
        "reporters": [*reporters, *(one.info for one in found.reporters)],
        "broken": dict(found.broken),
    }
