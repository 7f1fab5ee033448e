"""A report in a plugin's format. The plugin is imported by a worker, never here."""

from __future__ import annotations

from bench.errors import PluginError
from bench.run.crew import run_worker
from bench.run.discovery import FoundReporter, why
from bench.run.folders import fresh_log
from bench.run.limits import STALL_SECONDS
from bench.run.process import Launch
from bench.run.scratch import scratch
from bench.text.waiting import told
from bench.worker.jobs import Render


def render_with(reporter: FoundReporter, document: str, stall: float = STALL_SECONDS) -> str:
    """Return what a plugin's reporter makes of a report. Raises PluginError naming the plugin and its log.

    ``document`` is what ``bench report --format json`` prints.
    """
    log = fresh_log("render")
    with scratch() as folder:
        report, text = folder / "report.json", folder / "text"
        report.write_text(document, encoding="utf-8")
        job = Render(plugin=reporter.plugin, reporter=reporter.info, report=str(report), text=str(text))
        with told(lambda: f"bench: waiting for the reporter '{reporter.info}'"):
            outcome = run_worker(Launch(job, log, interpreter=reporter.interpreter, stall=stall))
        if outcome.status != "ok":
            raise PluginError(f"{why(reporter.plugin, outcome)}; see {log}")
        return text.read_bytes().decode()
