"""The process that a worker runs under on Linux. It ends all that the worker has started, unless somebody kills or stops it too.

The parent starts the supervisor, as the head of a session, and the supervisor forks the worker. It is a *child subreaper*: what loses its
parent becomes its child, also where it has left session and group. When the worker ends, or when the parent has gone, the supervisor
kills all that descends from it, and then ends as the worker did. It holds no lock and runs no framework, so nothing keeps it from that.

Elsewhere there is no such thing. A worker is then the head of its group itself, which ends with it; what has left the group stays.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from bench.machine.parent import tell_parent

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>

ENDING_SECONDS = 10.0
"""How long the supervisor tries to end what descends from a worker; a process in a driver's hands may not end at all."""

ASKED_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def supervise(events: int) -> int:
    """Fork, where the system has subreapers. Return in the worker: the supervisor's process number, 0 where there is none.

    ``events``: the descriptor for events, which the supervisor has no use for.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        return 0
    tell_parent(os.getppid())
    supervisor = os.getpid()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _wake) for number in (signal.SIGCHLD, *ASKED_TO_END)}
    worker = os.fork()
    if worker:
        _supervise(worker, events, reading)
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)
    os.close(reading)
    os.close(writing)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # whoever kills the supervisor ends the worker
    if os.getppid() != supervisor:
        os._exit(1)
    return supervisor


def _wake(number: int, frame: FrameType | None) -> None:
    """A signal that is handled wakes the supervisor, through the descriptor that Python writes its number to."""


def _supervise(worker: int, events: int, wakes: int) -> NoReturn:
    """Wait for the worker's end, the parent's, or a signal that asks to end; then end everything."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in {1, 2, events}:
        os.dup2(nothing, descriptor)
    status = asked = None
    poll = select.poll()
    poll.register(0, select.POLLRDHUP)
    poll.register(wakes, select.POLLIN)
    while status is None and asked is None:
        for descriptor, _ in poll.poll():
            if (
                descriptor == 0
            ):  # the other end of the worker's standard input is closed: the parent has gone, or wants an end
                asked = signal.SIGKILL
                continue
            numbers = os.read(wakes, 4096)
            asked = next((number for number in ASKED_TO_END if number in numbers), asked)
        status = _reaped(worker)
    _end_descendants()
    _leave(status, asked)


def _reaped(worker: int) -> int | None:
    """Take what has ended off the system's hands; return the worker's wait status if it is among it."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            number, status = os.waitpid(-1, os.WNOHANG)
            if number == worker:
                found = status
            elif number == 0:
                break
    return found


def _end_descendants() -> None:
    """Kill all that descends from this process, until nothing is left."""
    deadline = time.monotonic() + ENDING_SECONDS
    while time.monotonic() < deadline:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for number in descendants(os.getpid()):
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.002)


def descendants(ancestor: int, processes: Path = Path("/proc")) -> Iterator[int]:
    """Yield the numbers of all processes that descend from one, as Linux tells them."""
    children: dict[int, list[int]] = {}
    for place in processes.iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            number = int(place.name)
            # The command in parentheses may hold anything; state and parent follow it.
            children.setdefault(int((place / "stat").read_bytes().rpartition(b")")[2].split()[1]), []).append(number)
    found = [ancestor]
    for number in found:
        found += children.get(number, ())
    yield from found[1:]


def _leave(status: int | None, asked: signal.Signals | None) -> NoReturn:
    """End as the worker did, or by the signal that asked for it."""
    by_signal = os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else asked
    if by_signal is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # the worker's is enough
        if by_signal != signal.SIGKILL:
            signal.signal(by_signal, signal.SIG_DFL)
        os.kill(os.getpid(), by_signal)
    os._exit(1 if status is None else os.waitstatus_to_exitcode(status))
