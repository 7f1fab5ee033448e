"""A worker's supervisor ends as the worker does, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from bench.worker.supervisor import descendants
from tests.support.waiting import PATIENCE, wait_for

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has child subreapers"),
]

WORKER = """
import os, signal, sys, time
sys.path[:] = {path!r}
from bench.worker.supervisor import supervise
assert supervise(1) == os.getppid()
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), file=sys.stderr, flush=True)
        os.write(writing, b".")
        time.sleep(600)
    os._exit(0)
os.read(reading, 1)  # it has told its number before anything ends
{then}
"""


def start(then: str) -> tuple[subprocess.Popen[str], int]:
    """A supervised worker that has left a process in a session of its own, and that process's number."""
    code = WORKER.format(path=sys.path, then=then)
    worker = subprocess.Popen(
        [sys.executable, "-c", code], stdin=-1, stdout=-1, stderr=-1, text=True, start_new_session=True
    )
    assert worker.stderr is not None
    return worker, int(worker.stderr.readline())


@pytest.mark.parametrize(
    ("then", "code"),
    [
        ("os._exit(0)", 0),
        ("os._exit(7)", 7),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_it_ends_as_the_worker_does_after_all_that_is_left(then, code):
    worker, left = start(then)
    with worker:
        assert worker.wait(PATIENCE) == code
        assert not psutil.pid_exists(left)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda worker: worker.stdin.close(), -signal.SIGKILL),
        (lambda worker: worker.terminate(), -signal.SIGTERM),
    ],
    ids=["the parent goes", "it is asked to end"],
)
def test_it_ends_everything_when_the_parent_goes_or_asks(end, code):
    worker, left = start("time.sleep(600)")
    with worker:
        assert left in set(descendants(worker.pid))
        end(worker)
        assert worker.wait(PATIENCE) == code
        assert not psutil.pid_exists(left)


def test_a_worker_whose_supervisor_is_killed_ends():
    worker, left = start("time.sleep(600)")
    with worker:
        (own,) = (child for child in psutil.Process(worker.pid).children() if child.pid != left)
        worker.kill()
        worker.wait(PATIENCE)
        wait_for(lambda: not own.is_running() or own.status() == psutil.STATUS_ZOMBIE)
    os.kill(left, signal.SIGKILL)  # nobody is left who could know of it
