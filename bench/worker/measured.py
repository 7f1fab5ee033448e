"""The facts a measuring worker adds to its answer."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import bench
from bench.machine.gpu import sample_gpus
from bench.machine.host import hashed
from bench.worker.jobs import PluginRef


def peak_memory() -> int:
    """Peak resident bytes of this process (getrusage counts KiB on Linux, bytes on macOS)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def telemetry() -> dict[str, float | None]:
    """What the devices are doing just now."""
    return {**sample_gpus()}


def package_facts(plugin: PluginRef | None) -> dict[str, str]:
    """The code that really ran: version, hashed folder and commit of the harness, and the plugin's distribution."""
    from importlib.metadata import PackageNotFoundError, version

    folder = Path(bench.__file__).parent
    facts = {"bench": bench.__version__, "folder": hashed(str(folder)), "commit": commit_of(folder)}
    if plugin is not None and plugin.distribution:
        try:
            facts["plugin"] = f"{plugin.distribution} {version(plugin.distribution)}"
        except PackageNotFoundError:
            facts["plugin"] = plugin.distribution
    return facts


def commit_of(folder: Path) -> str:
    """The commit checked out above ``folder``, read from git's files; empty where there is none."""
    for parent in folder.parents:
        head = parent / ".git" / "HEAD"
        if not head.is_file():
            continue
        content = head.read_text().strip()
        if not content.startswith("ref: "):
            return content
        name = content.removeprefix("ref: ")
        loose = parent / ".git" / name
        if loose.is_file():
            return loose.read_text().strip()
        packed = parent / ".git" / "packed-refs"
        lines = packed.read_text().splitlines() if packed.is_file() else []
        return next((line.split()[0] for line in lines if line.endswith(f" {name}")), "")
    return ""
