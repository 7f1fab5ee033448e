"""One worker process from spawn to exit: events in, one outcome out, whatever happens."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from bench.errors import ExitCode, UsageError
from bench.machine.environment import inherited_environment, worker_environment
from bench.machine.host import out_of_memory_kills, usable_cores
from bench.machine.other_work import OtherWork, family_seconds
from bench.record.schema import Status
from bench.run.events import Events
from bench.run.hosts import HERE, Host
from bench.run.limits import STALL_SECONDS
from bench.run.log import Log, read_tail
from bench.run.scratch import scratch
from bench.worker.answers import unfit_answer
from bench.worker.channel import AGAIN, BRIEFLY, THOROUGHLY, Beat, Failure, Ready, Result, Stage, Timed
from bench.worker.jobs import Job, Survey
from bench.worker.supervisor import ENDING_SECONDS

LOG_TAIL = 2000
FAREWELL_SECONDS = 2.0

SUPERVISOR_SECONDS = 2 * ENDING_SECONDS
"""How long a worker's supervisor may take to end it and all that it has started."""

CHECKING = "check"
"""The stage in which a worker proves what it has timed."""

CRASH_SIGNALS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS}


@dataclass(frozen=True)
class Launch:
    """How to start a worker."""

    job: Job
    log: Path
    environment: Mapping[str, str] = field(
        default_factory=lambda: worker_environment(usable_cores(), {})
    )  # on top of what is inherited
    interpreter: str = sys.executable
    stall: float = STALL_SECONDS
    host: Host = HERE
    brief: bool = False  # whether what was timed is to be checked briefly; the worker hears of it only then


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
    dragged: bool = False  # ended because another rank of its crew had failed
    others: float = 0.0  # cores that other processes used on average while it checked what it had timed

    @property
    def skipped(self) -> bool:
        """Whether the backend lacks what the case needs: a skip, and no failure."""
        return self.failure is not None and self.failure.kind == "unsupported"

    @property
    def trouble(self) -> str:
        """``failed: the kernel launch failed``, ``skipped: no LayerNorm``; empty where all is well."""
        return "" if self.status == "ok" else f"{'skipped' if self.skipped else self.status}: {self.reason}"


Listener = Callable[[Stage | Beat], None]


State = Literal["working", "ready", "done"]


def ignore(event: Stage | Beat) -> None:
    """Do nothing with what a worker says."""


class Worker:
    """A worker process, which whoever started it ends."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.outcome: Outcome | None = None
        self._started, self._begun = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
        self._last = self._begun  # sign of life
        self._kills = out_of_memory_kills()
        self._answer: Result | Failure | None = None
        self._stalled = ""
        self._stage = "start"
        self._outside: OtherWork | None = None
        self._others = 0.0
        # A survey imports no plugin, and another release's worker, which knows no token, must be able to say which it is.
        token = "" if isinstance(launch.job, Survey) else secrets.token_hex(16)
        self._events = Events(token)
        self._resources = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(scratch())
            self._log = log = Log(launch.log)
            stack.callback(log.close)
            self._reading, writing = os.pipe()
            stack.callback(os.close, self._reading)
            os.set_blocking(self._reading, False)
            try:
                # Elsewhere no descriptor can be handed on: events come on standard output, and the worker's own goes to the log.
                away = bool(launch.host.prefix)
                command = [launch.interpreter, "-P", "-m", "bench.worker", "1" if away else str(writing)]
                self._process = subprocess.Popen(
                    launch.host.command(command, launch.environment),
                    stdin=subprocess.PIPE,
                    stdout=writing if away else log.writing,
                    stderr=log.writing,
                    pass_fds=() if away else (writing,),
                    cwd=folder,
                    env=inherited_environment(launcher=away) | dict(launch.environment),
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:  # ValueError: a variable that no process can have
                what = (
                    f"{launch.host.prefix[0]} cannot be run"
                    if away
                    else f"{launch.interpreter} cannot be run as a Python interpreter"
                )
                reason = error.strerror if isinstance(error, OSError) else error
                raise UsageError(f"{what}: {reason}") from None
            finally:
                os.close(writing)
                log.started()
            self._resources = stack.pop_all()
        self._write(msgspec.json.encode(msgspec.structs.replace(launch.job, spawned=self._begun, token=token)))

    def give_turn(self, again: bool = False) -> None:
        """Let a worker that is ready work on; ``again``: no other has worked since it did."""
        self._write(AGAIN if again else b"")

    @property
    def filenos(self) -> list[int]:
        """The descriptors that have something to read when the worker speaks, prints or ends, for a selector."""
        return [self._reading] if self._log.ended else [self._reading, self._log.fileno()]

    def attended(self) -> None:
        """Count silence from now on: a worker that waited for its turn has not stalled."""
        self._last = time.monotonic()

    def hear(self, listen: Listener) -> State:
        """Hear what the worker has said, without waiting.

        "ready" is a worker that waits for its turn, "done" one that has ended, closed its pipe or stalled.
        """
        if self._heard_ready(listen):
            return "ready"
        ended = self._process.poll() is not None  # asked first, so that its last words are heard
        data = self._read()
        if data == b"" or (data is None and ended):
            return "done"  # a child of a worker that died may hold the pipe open
        if data:
            self._events.feed(data)
        self._log.take()
        if self._heard_ready(listen):
            return "ready"
        if self._events.fault:
            return "done"
        if time.monotonic() - self._last > self.launch.stall:
            self._stalled = f"no sign of life for {self.launch.stall:g} s in stage '{self._stage}'"
            return "done"
        return "working"

    def _read(self) -> bytes | None:
        """Return the bytes that have come: empty at the end of the pipe, None where there is nothing yet."""
        try:
            return os.read(self._reading, 1 << 20)
        except BlockingIOError:
            return None

    def end(self, patience: float = FAREWELL_SECONDS) -> Outcome:
        """End the process and its group, after at most ``patience`` seconds for it to end by itself; return how it ended."""
        if self.outcome is not None:
            return self.outcome
        with self._resources:
            self._log.follow(self._process, 0.0 if self._stalled or self._events.fault else patience)
            code = self._put_end()
        if isinstance(self._answer, Result) and (fault := unfit_answer(self.launch.job, bytes(self._answer.value))):
            self._answer = Failure("failed", fault, int(ExitCode.USAGE))
        status, reason = _judge(self._answer, self._stalled, self._events.fault, code, out_of_memory_kills() > self._kills)
        self.outcome = Outcome(
            status=status,
            started=self._started,
            wall=time.monotonic() - self._begun,
            value=bytes(self._answer.value) if isinstance(self._answer, Result) else b"",
            reason=reason,
            failure=self._answer if isinstance(self._answer, Failure) else None,
            others=self._others,
            log_tail="" if status == "ok" else read_tail(self.launch.log, LOG_TAIL),
        )
        return self.outcome

    def _put_end(self) -> int:
        """End the worker and all that descends from it, and return its exit code.

        The end of its standard input tells its supervisor to do so, on whatever host. Where that has not been done in time, its group
        and its descendants are killed from here.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._log.follow(self._process, SUPERVISOR_SECONDS)
        family = _family(self._process.pid) if self._process.poll() is None else []
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for process in family:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        return self._process.wait()

    def _write(self, line: bytes) -> None:
        """The pipe stays open after the job: its end tells the worker that we have gone."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()

    def _heard_ready(self, listen: Listener) -> bool:
        """Pass on the events that have come whole, up to one that says that the worker is ready. Each is a sign of life."""
        while (event := self._events.next()) is not None:
            self.attended()
            if isinstance(event, Ready):
                return True
            if isinstance(event, Timed):
                self._write(BRIEFLY if self.launch.brief else THOROUGHLY)
            elif isinstance(event, Result | Failure):
                self._answer = event
                self._others = 0.0 if self._outside is None else self._outside.cores()
            elif isinstance(event, Stage | Beat):
                if isinstance(event, Stage):
                    self._enter(event.name)
                listen(event)
        return False

    def _enter(self, stage: str) -> None:
        """Enter a stage. Before a worker checks, begin to measure other processes here, in the parent, since a worker could lie."""
        self._stage = stage
        if stage == CHECKING and not self.launch.host.prefix:
            self._outside = OtherWork(own=family_seconds)


def _family(number: int) -> list[int]:
    """The numbers of all processes that descend from one."""
    import psutil

    try:
        return [process.pid for process in psutil.Process(number).children(recursive=True)]
    except psutil.Error:
        return []


def _judge(
    answer: Result | Failure | None, stalled: str, fault: str, code: int, killed_for_memory: bool
) -> tuple[Status, str]:
    if stalled:
        return "stalled", stalled
    if isinstance(answer, Result):
        return "ok", ""
    if isinstance(answer, Failure):
        return ("out of memory" if answer.kind == "out of memory" else "failed"), answer.message
    if fault:
        return "failed", fault
    if code >= 0:
        return "crashed", f"the worker exited with code {code} and no answer"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL and killed_for_memory:
        return "out of memory", "the kernel killed the worker for memory"
    if -code in CRASH_SIGNALS:
        return "crashed", f"the worker crashed with {name}"
    return "killed", f"the worker was killed by {name}"
