"""One worker process from spawn to exit: events in, one outcome out, whatever happens.

The parent blocks on the pipe and wakes when something arrives or once every ``TICK`` seconds, so that it burns no core while
a CPU is being measured.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from bench.machine.environment import inherited_environment
from bench.machine.host import out_of_memory_kills
from bench.record.schema import Status
from bench.worker.channel import Beat, Event, Failure, Result, Stage
from bench.worker.jobs import Job

TICK = 1.0
LOG_LIMIT = 8 * 2**20
LOG_TAIL = 2000
STALL_SECONDS = 600.0
FAREWELL_SECONDS = 2.0

CRASH_SIGNALS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS}


@dataclass(frozen=True)
class Launch:
    """How to start a worker."""

    job: Job
    log: Path
    environment: Mapping[str, str]  # on top of what is inherited
    interpreter: str = sys.executable
    stall: float = STALL_SECONDS


@dataclass(frozen=True)
class Outcome:
    """How a worker ended."""

    status: Status
    started: str
    wall: float
    value: bytes = b""  # JSON, when the status is ok
    reason: str = ""
    failure: Failure | None = None
    log_tail: str = ""


Listener = Callable[[Stage | Beat], None]


def _ignore(event: Stage | Beat) -> None:
    """Nobody listens."""


def run_worker(launch: Launch, listen: Listener = _ignore) -> Outcome:
    """Run one job in a fresh interpreter, in an empty folder, as the head of its own process group.

    However it ends, the whole group is ended with it. Interrupting the parent ends the group too.
    """
    started, begun = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
    kills = out_of_memory_kills()
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, launch.log.open("ab") as log:
        process = subprocess.Popen(
            [launch.interpreter, "-P", "-m", "bench.worker", str(writing)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(writing,),
            cwd=folder,
            env=inherited_environment() | dict(launch.environment),
            start_new_session=True,
        )
        os.close(writing)
        ending, patience = _Ending(), 0.0
        try:
            _send(process, msgspec.structs.replace(launch.job, spawned=begun))
            for event in _events(process, reading, launch, ending):
                if isinstance(event, Result | Failure):
                    ending.answer = event
                else:
                    listen(event)
            patience = 0.0 if ending.stalled else FAREWELL_SECONDS
        finally:  # also when the parent is interrupted: then without patience
            os.close(reading)
            code = _end(process, patience)
    status, reason = _judge(ending, code, out_of_memory_kills() > kills)
    answer = ending.answer
    return Outcome(
        status=status,
        started=started,
        wall=time.monotonic() - begun,
        value=bytes(answer.value) if isinstance(answer, Result) else b"",
        reason=reason,
        failure=answer if isinstance(answer, Failure) else None,
        log_tail="" if status == "ok" else read_tail(launch.log),
    )


@dataclass
class _Ending:
    answer: Result | Failure | None = None
    stalled: str = ""


def _send(process: subprocess.Popen[bytes], job: Job) -> None:
    """The job goes in; the pipe stays open, and its end tells the worker that we have gone."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        process.stdin.flush()


def _events(process: subprocess.Popen[bytes], reading: int, launch: Launch, ending: _Ending) -> Iterator[Event]:
    """Events until the worker exits, closes its pipe or stalls."""
    buffer, last, stage = b"", time.monotonic(), "start"
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while True:
            if selector.select(TICK):
                data = os.read(reading, 1 << 20)
                if not data:
                    return
                last = time.monotonic()
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    event = _decode(line)
                    if event is not None:
                        stage = event.name if isinstance(event, Stage) else stage
                        yield event
            elif process.poll() is not None:  # a child of the worker may hold the pipe open after it died
                return
            _keep_small(launch.log)
            if time.monotonic() - last > launch.stall:
                ending.stalled = f"no sign of life for {launch.stall:g} s in stage '{stage}'"
                return


def _decode(line: bytes) -> Event | None:
    try:
        event: Event = msgspec.json.decode(line, type=Event)
        return event
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None  # something else wrote to the descriptor; the exit code will tell


def _end(process: subprocess.Popen[bytes], patience: float) -> int:
    """Wait a moment for a worker that has said its last word, then end its whole group."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=patience)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    return code


def _judge(ending: _Ending, code: int, killed_for_memory: bool) -> tuple[Status, str]:
    if ending.stalled:
        return "stalled", ending.stalled
    if isinstance(ending.answer, Result):
        return "ok", ""
    if isinstance(ending.answer, Failure):
        return ("out of memory" if ending.answer.kind == "out of memory" else "failed"), ending.answer.message
    if code >= 0:
        return "crashed", f"the worker exited with code {code} and no answer"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL and killed_for_memory:
        return "out of memory", "the kernel killed the worker for memory"
    if -code in CRASH_SIGNALS:
        return "crashed", f"the worker crashed with {name}"
    return "killed", f"the worker was killed by {name}"


def _keep_small(log: Path) -> None:
    """A worker that prints without end must not fill the disk: the log is opened for appending, so it can be cut."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_LIMIT:
            tail = read_tail(log)
            os.truncate(log, 0)
            with log.open("ab") as file:
                file.write(f"[log cut at {LOG_LIMIT} bytes]\n{tail}\n".encode())


def read_tail(log: Path, size: int = LOG_TAIL) -> str:
    """The last ``size`` bytes of a log as text."""
    try:
        with log.open("rb") as file:
            return _tail(file, size)
    except OSError:
        return ""


def _tail(file: IO[bytes], size: int) -> str:
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - size))
    return file.read().decode(errors="replace").strip()
