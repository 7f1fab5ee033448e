"""``python -P -m bench.worker FD``: read one job from standard input, send events to descriptor FD, exit."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pkgutil import resolve_name

import msgspec

from bench.entry_points import PluginRef
from bench.errors import BenchError, ExitCode
from bench.machine.host import usable_cores
from bench.text.words import said_by, sayable
from bench.worker.channel import AGAIN, BRIEFLY, THOROUGHLY, Channel, Failure, out_of_memory
from bench.worker.checked import raised_in
from bench.worker.jobs import Job, MakeGolden, OnCase, Prepare
from bench.worker.supervisor import supervise

# Each handler's module is imported only for its own job: describing a plugin must not pay for measuring one.
HANDLERS = {
    "Describe": "bench.worker.describe:describe",
    "Survey": "bench.worker.describe:survey",
    "Identify": "bench.worker.describe:identify",
    "Prepare": "bench.worker.prepare:prepare",
    "Look": "bench.worker.prepare:look",
    "Measure": "bench.worker.measure:measure",
    "Search": "bench.worker.search:search",
    "MeasureCeiling": "bench.worker.ceiling:measure_ceiling",
    "Verify": "bench.worker.verify:verify_case",
    "Train": "bench.worker.train:train",
    "MakeGolden": "bench.worker.verify:make_golden_file",
    "Render": "bench.worker.render:render",
}


def main() -> None:
    """Do the job; leave without the frameworks' slow farewells."""
    supervisor = supervise(int(sys.argv[1]))
    faulthandler.enable()
    events = _apart(int(sys.argv[1]))
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    channel = Channel(events, job.token)
    job = msgspec.structs.replace(job, token="")  # plugins meet the job; code that searches frames still finds the channel
    _limit_cores(job)
    threading.Thread(target=_watch_parent, args=(channel, supervisor), daemon=True).start()
    try:
        with channel.busy():
            work = resolve_name(HANDLERS[type(job).__name__])
        channel.result(work(job, channel))
    except BaseException as error:  # whatever it is, the parent must hear of it
        with suppress(Exception):  # a plugin may have closed the streams, or put others in their place
            traceback.print_exc()
        channel.send(explain(error, job))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)


def _apart(descriptor: int) -> int:
    """The descriptor for events, which the worker's own children do not inherit; where it is standard output, what others print goes to
    standard error from now on."""
    if descriptor != 1:
        os.set_inheritable(descriptor, False)
        return descriptor
    events = os.dup(1)
    os.dup2(2, 1)
    return events


def explain(error: BaseException, job: Job | None = None) -> Failure:
    """The failure an exception means; of one that began in the job's plugin, with the plugin, what it offers, and the method."""
    words = said_by(error)
    lines = words.strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    if isinstance(error, BenchError):
        return Failure("usage", words, int(error.exit_code))
    if type(error).__name__ == "UnsupportedLayer":
        return Failure("unsupported", words, int(ExitCode.NOT_COMPARABLE))
    if out_of_memory(error):
        return Failure("out of memory", text)
    for whose, plugin in _plugins(job):
        if place := raised_in(error, plugin.module):
            return Failure("failed", f"{text} (in {place}; plugin '{plugin.name}', {whose})", int(ExitCode.USAGE))
    if isinstance(error, OSError):
        place = "" if error.filename is None else f" {error.filename}"
        return Failure("usage", sayable(f"the system refused{place}: {error.strerror or words}"), int(ExitCode.USAGE))
    return Failure("failed", text)


def _plugins(job: Job | None) -> list[tuple[str, PluginRef]]:
    """What of which plugin a job works with, in words."""
    if isinstance(job, OnCase):
        workload = (f"workload '{job.case.workload}'", job.workload)
        return [workload] if job.backend is None else [(f"backend '{job.case.backend}'", job.backend), workload]
    if isinstance(job, Prepare):
        return [(f"workload '{job.workload}'", job.plugin)]
    return [(f"workload '{job.name}'", job.workload)] if isinstance(job, MakeGolden) else []


def _limit_cores(job: Job) -> None:
    """Bind to as many cores as the job was given, before any library starts its threads."""
    threads = job.cores
    # Not where a cgroup's quota is the limit: every container would then sit on the same first cores.
    if threads and hasattr(os, "sched_setaffinity") and threads < usable_cores():
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _watch_parent(channel: Channel, supervisor: int) -> None:
    """Each line on our standard input is a turn, or says how to check; its end means that the parent has gone, and our children go with us.

    The supervisor sees that end too, and ends everything. This process must not end before, where it alone knows its children.
    """
    while line := sys.stdin.buffer.readline():
        if (word := line.strip()) in {BRIEFLY, THOROUGHLY}:
            channel.how_to_check.put(word)
        else:
            channel.turns.put(word != AGAIN)
    if supervisor:
        os.kill(supervisor, signal.SIGTERM)
    else:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
