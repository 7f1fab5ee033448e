"""A worker's log keeps its beginning and its end, whatever is printed between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.run import log as module
from bench.run.log import Log, read_tail


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HEAD", 1000)
    monkeypatch.setattr(module, "TAIL", 1000)
    return Log(tmp_path / "log")


def test_a_log_is_there_while_it_is_written_and_whole_at_the_end(log):
    os.write(log.writing, b"first\n")
    log.take()
    assert log.path.read_bytes() == b"first\n"
    assert not log.ended
    os.write(log.writing, b"last\n")
    log.close()
    assert log.path.read_bytes() == b"first\nlast\n"
    assert log.ended


def test_the_middle_of_a_long_log_is_left_out_and_that_is_said(log):
    words = b"".join(b"%07d\n" % number for number in range(20_000))
    for start in range(0, len(words), 10_000):
        os.write(log.writing, words[start : start + 10_000])
        log.take()
    log.close()
    kept = log.path.read_bytes()
    begun, said, end = kept.partition(b"\n[")
    number, words_of_it, tail = end.partition(b" bytes of this log are left out here]\n")
    assert begun == words[:1000]
    assert said
    assert words_of_it
    assert words.endswith(tail)
    assert 1000 <= len(tail) <= 2000
    assert int(number.replace(b",", b"")) == len(words) - len(begun) - len(tail)
    assert read_tail(log.path, 7) == "0019999"[-6:]


def test_the_end_of_the_pipe_is_seen(log):
    log.started()
    log.take()
    assert log.ended
    log.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_costs_the_log_and_nothing_else(monkeypatch):
    monkeypatch.setattr(module, "TAIL", 10)
    log = Log(Path("/dev/full"))
    os.write(log.writing, b"x" * 5000)
    log.take()
    log.close()
    assert log.ended
