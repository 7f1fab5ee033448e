"""``bench cache``."""

from __future__ import annotations

import json

import click

from bench.cli import options
from bench.cli.report import tell

KINDS = ("images", "files", "figures", "refs", "logs", "key")


@click.command(name="cache")
@click.option("--clear", is_flag=True, help="Delete what is shown but the key, which --kind key deletes, and say what went.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only this kind (repeatable).")
@options.style()
def command(clear: bool, kinds: tuple[str, ...], style: str) -> None:
    """Show what the cache holds and how large it is, and clear it.

    The cache is the folder BENCH_CACHE, else $XDG_CACHE_HOME/accelbench or ~/.cache/accelbench. But for the key, nothing in it is needed:
    images are decoded and ceilings are measured again. Records are elsewhere and are never touched, nor is what other software has put there.
    """
    from bench.run import cache
    from bench.run.folders import cache_place

    folder = cache_place()
    chosen = kinds or tuple(kind for kind in KINDS if not clear or kind != cache.KEPT)
    found = cache.clear(folder, chosen) if clear else list(cache.entries(folder))
    shown = [entry for entry in found if entry.kind in chosen]
    if style == "json":
        lines = [{"path": str(entry.path), "kind": entry.kind, "bytes": entry.bytes} for entry in shown]
        tell(json.dumps({"folder": str(folder), "cleared": clear, "entries": lines}, indent=1))
        return
    tell(f"{folder}{': cleared' if clear else ''}")
    for kind in chosen:
        of_kind = [entry for entry in shown if entry.kind == kind]
        if of_kind:
            tell(f"  {kind:8}{_size(sum(entry.bytes for entry in of_kind)):>10}  {cache.KINDS[kind][1]}")
    tell(f"  {'total':8}{_size(sum(entry.bytes for entry in shown)):>10}")
    foreign = [entry.path.name for entry in found if not entry.kind]
    if foreign:
        click.echo(
            f"bench: not of accelbench, and left alone: {', '.join(foreign[:5])}{' …' if foreign[5:] else ''}", err=True
        )


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
