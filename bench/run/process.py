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
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Literal

import msgspec

from bench.errors import UsageError
from bench.machine.environment import inherited_environment
from bench.machine.host import out_of_memory_kills
from bench.record.schema import Status
from bench.run.limits import STALL_SECONDS
from bench.worker.channel import Beat, Event, Failure, Ready, Result, Stage
from bench.worker.jobs import Job

TICK = 1.0
LOG_LIMIT = 8 * 2**20
LOG_TAIL = 2000
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
    with Worker(launch) as worker:
        worker.work(listen)
        return worker.end()


class Worker:
    """A worker process; leaving the context ends it, if it has not ended yet."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.outcome: Outcome | None = None
        self._started, self._begun = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
        self._last = self._begun  # sign of life
        self._kills = out_of_memory_kills()
        self._answer: Result | Failure | None = None
        self._stalled = ""
        self._stage = "start"
        self._buffer = b""
        self._resources = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
            log = stack.enter_context(launch.log.open("ab"))
            self._reading, writing = os.pipe()
            stack.callback(os.close, self._reading)
            self._selector = stack.enter_context(selectors.DefaultSelector())
            self._selector.register(self._reading, selectors.EVENT_READ)
            try:
                self._process = subprocess.Popen(
                    [launch.interpreter, "-P", "-m", "bench.worker", str(writing)],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(writing,),
                    cwd=folder,
                    env=inherited_environment() | dict(launch.environment),
                    start_new_session=True,
                )
            except OSError as error:
                raise UsageError(f"{launch.interpreter} cannot be run as a Python interpreter: {error.strerror}") from None
            finally:
                os.close(writing)
            self._resources = stack.pop_all()
        self._write(msgspec.json.encode(msgspec.structs.replace(launch.job, spawned=self._begun)))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end(patience=0.0)

    def give_turn(self) -> None:
        """Let a worker that is ready work on."""
        self._write(b"")

    def fileno(self) -> int:
        """Of the pipe on which events come, so that a selector can wait for several workers."""
        return self._reading

    def work(self, listen: Listener = _ignore) -> bool:
        """Hear events until the worker waits for its turn (True), or has ended, closed its pipe or stalled (False)."""
        self._last = time.monotonic()  # one that waited for its turn has not stalled
        while (state := self.hear(listen, TICK)) == "working":
            pass
        return state == "ready"

    def hear(self, listen: Listener, patience: float) -> Literal["working", "ready", "done"]:
        """Hear what the worker has said, and wait ``patience`` seconds at most where it has said nothing.

        "ready" is a worker that waits for its turn, "done" one that has ended, closed its pipe or stalled."""
        if self._heard_ready(listen):
            return "ready"
        if self._selector.select(patience):
            data = os.read(self._reading, 1 << 20)
            if not data:
                return "done"
            self._last = time.monotonic()
            self._buffer += data
        elif self._process.poll() is not None and not self._selector.select(0):
            return "done"  # it died; a child of the worker may hold the pipe open
        _keep_small(self.launch.log)
        if time.monotonic() - self._last > self.launch.stall:
            self._stalled = f"no sign of life for {self.launch.stall:g} s in stage '{self._stage}'"
            return "done"
        return "ready" if self._heard_ready(listen) else "working"

    def end(self, patience: float = FAREWELL_SECONDS) -> Outcome:
        """End the process and its group, one that has said its last word after a moment; how it ended."""
        if self.outcome is not None:
            return self.outcome
        with self._resources:
            code = _end(self._process, 0.0 if self._stalled else patience)
        status, reason = _judge(self._answer, self._stalled, code, out_of_memory_kills() > self._kills)
        self.outcome = Outcome(
            status=status,
            started=self._started,
            wall=time.monotonic() - self._begun,
            value=bytes(self._answer.value) if isinstance(self._answer, Result) else b"",
            reason=reason,
            failure=self._answer if isinstance(self._answer, Failure) else None,
            log_tail="" if status == "ok" else read_tail(self.launch.log),
        )
        return self.outcome

    def _write(self, line: bytes) -> None:
        """The pipe stays open after the job: its end tells the worker that we have gone."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()

    def _heard_ready(self, listen: Listener) -> bool:
        """Pass on the events that have come whole, up to one that says that the worker is ready."""
        while b"\n" in self._buffer:
            line, self._buffer = self._buffer.split(b"\n", 1)
            event = _decode(line)
            if isinstance(event, Ready):
                return True
            if isinstance(event, Result | Failure):
                self._answer = event
            elif isinstance(event, Stage | Beat):
                self._stage = event.name if isinstance(event, Stage) else self._stage
                listen(event)
        return False


def work_in_turns(launches: Sequence[Launch], listen: Listener = _ignore) -> list[Outcome]:
    """Workers that are alive at once and work one at a time: first each until it is ready, then turn by turn, the order reversed
    every round, so that whatever the machine does meanwhile hits all alike. Outcomes in the order of ``launches``."""
    with contextlib.ExitStack() as stack:
        workers: list[Worker] = []
        going: list[Worker] = []
        for launch in launches:
            worker = stack.enter_context(Worker(launch))
            workers.append(worker)
            if worker.work(listen):
                going.append(worker)
        while going:
            for worker in list(going):
                worker.give_turn()
                if not worker.work(listen):
                    worker.end()
                    going.remove(worker)
            going.reverse()
        return [worker.end() for worker in workers]


def work_together(
    launches: Sequence[Launch], listen: Callable[[int, Stage | Beat], None], most: int | None = None, tick: float = TICK
) -> Generator[tuple[int, Outcome] | None, None, None]:
    """Run workers at the same time, ``most`` of them at most. Yields the place in ``launches`` and the outcome of each as it ends.

    Yields None too whenever a worker has spoken, and once in ``tick`` seconds at least. Closing the iterator ends the workers.
    """
    waiting = deque(enumerate(launches))
    going: dict[Worker, int] = {}
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        while waiting or going:
            while waiting and len(going) < (most or len(launches)):
                place, launch = waiting.popleft()
                worker = stack.enter_context(Worker(launch))
                selector.register(worker, selectors.EVENT_READ)
                going[worker] = place
            selector.select(tick)
            for worker, place in list(going.items()):
                if worker.hear(partial(listen, place), 0.0) != "working":
                    selector.unregister(worker)
                    del going[worker]
                    yield place, worker.end()
            yield None


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


def _judge(answer: Result | Failure | None, stalled: str, code: int, killed_for_memory: bool) -> tuple[Status, str]:
    if stalled:
        return "stalled", stalled
    if isinstance(answer, Result):
        return "ok", ""
    if isinstance(answer, Failure):
        return ("out of memory" if answer.kind == "out of memory" else "failed"), answer.message
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
