"""Who else is on a GPU, and when that cannot be told."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.machine.gpu_processes import Family, Others, others
from tests.support.fake_nvml import process

STRANGER = 2**22 + 1  # more than Linux's greatest process number


@pytest.fixture
def sibling():
    """Another child of this process, and a child of its own, both asleep until they are told to end."""
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "input()\n"
        "child.communicate(b'\\n')\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield child.pid, int(child.stdout.readline())
        child.communicate("\n")


@pytest.mark.process
def test_this_benchmarks_processes_are_not_others(sibling):
    own = [process(pid, 100) for pid in (os.getpid(), os.getppid(), *sibling)]
    assert others(own, Family()) == Others(0, 0)
    assert others([*own, process(STRANGER, 7), process(STRANGER, 5)], Family()) == Others(1, 12)


def test_memory_that_the_driver_does_not_tell_is_not_made_up():
    assert others([process(os.getpid(), 1), process(STRANGER)], Family()) == Others(1, None)


@pytest.mark.parametrize("listed", [[], [STRANGER, STRANGER + 1]])
def test_a_list_without_this_process_says_nothing(listed):
    assert others([process(pid) for pid in listed], Family()) is None
