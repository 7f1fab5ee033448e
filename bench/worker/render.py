"""A report as a plugin's reporter writes it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.errors import PluginError
from bench.worker.channel import Channel
from bench.worker.jobs import Render
from bench.worker.offered import say
from bench.worker.plugins import find_reporter


def render(job: Render, channel: Channel) -> None:
    """Have the reporter make the text and write it. Raises PluginError naming the plugin and what it did instead."""
    channel.stage("import")
    reporter = find_reporter(job.plugin, job.reporter)
    report = msgspec.json.decode(Path(job.report).read_bytes())
    channel.stage("render")
    whose = f"reporter '{job.reporter}' of plugin '{job.plugin.name}' ({job.plugin.module})"
    try:
        text = reporter.render(report)
    except BaseException as error:  # a stranger's code may raise anything, and call sys.exit
        raise PluginError(f"{whose} raised {say(error)}") from error
    if not isinstance(text, str):
        raise PluginError(f"{whose} returned {type(text).__name__}; expected str")
    try:
        Path(job.text).write_bytes(text.encode())
    except UnicodeEncodeError as error:
        raise PluginError(f"{whose} returned text that UTF-8 cannot hold: {error}") from None
