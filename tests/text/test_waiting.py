"""Long waits are spoken of: at growing intervals, on one line of a terminal, and by one voice at a time."""

from __future__ import annotations

import io
import sys
import threading
from itertools import accumulate, islice
from threading import Event

import pytest

from bench.cli.report import put_record
from bench.cli.streams import tolerant_streams
from bench.record import places
from bench.run.progress import Progress
from bench.text import waiting
from bench.text.waiting import hushed, pauses, told
from bench.worker.channel import Stage
from tests.support import records as fake
from tests.support.waiting import PATIENCE


class Heard(io.StringIO):
    """A standard error that tells when it has been written to."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal, self.written = terminal, Event()

    def isatty(self) -> bool:
        return self.terminal

    def flush(self) -> None:
        self.written.set()


@pytest.fixture
def heard(monkeypatch):
    """Make standard error such a one, and let the first words come at once."""

    def heard(terminal: bool) -> Heard:
        stream = Heard(terminal)
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(waiting, "FIRST_SECONDS", 0.001)
        return stream

    return heard


def test_the_time_waited_doubles_from_line_to_line_and_a_terminal_is_drawn_every_second():
    assert [*islice(accumulate(pauses(live=False)), 8)] == [10, 20, 40, 80, 160, 320, 640, 960]
    assert [*islice(pauses(live=True), 4)] == [10, 1, 1, 1]


def test_a_log_gets_lines(heard):
    stream = heard(terminal=False)
    with told(lambda: "bench: waiting for a\x1b[31m friend"):
        assert stream.written.wait(PATIENCE)
    line = stream.getvalue().splitlines()[0]
    assert line.startswith("bench: waiting for a")
    assert line.endswith(" so far")
    assert "\x1b" not in stream.getvalue(), "nobody's words move the cursor"


def test_a_terminal_gets_one_line_that_is_gone_at_the_end(heard):
    stream = heard(terminal=True)
    with told(lambda: "bench: waiting " + "long " * 99) as speak_up:
        assert stream.written.wait(PATIENCE)
        speak_up()
        assert stream.getvalue().endswith("\r\x1b[2K"), "other words begin on a clean line"
    assert "\n" not in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_the_line_is_drawn_where_nothing_but_text_goes_through(heard):
    """The command line's own stream makes text of escape sequences; those that draw this line are ours, and its words are not."""
    stream = heard(terminal=True)
    with tolerant_streams(), told(lambda: "bench: waiting for \u202e it"):
        assert stream.written.wait(PATIENCE)
    assert stream.getvalue().startswith("\r\x1b[2Kbench: waiting for")
    assert stream.getvalue().endswith("\r\x1b[2K")
    assert "\u202e" not in stream.getvalue()


def test_a_trial_that_goes_on_is_a_line_with_its_stage(heard):
    stream = heard(terminal=False)
    with Progress(1) as progress:
        progress.start("trial 1 cpu", 0.0)
        progress.hear(Stage("check"))
        stream.written.clear()
        while "(check)" not in stream.getvalue():
            assert stream.written.wait(PATIENCE)
        progress.finish()
    first, *others = stream.getvalue().splitlines()
    assert first == "[1/1] trial 1 cpu"
    assert others[-1].startswith("trial 1 cpu (check); ")


@pytest.mark.parametrize("before", [hushed, lambda: told(lambda: "")], ids=["asked to be quiet", "inside another wait"])
def test_there_is_one_voice_at_most(heard, before):
    stream = heard(terminal=False)
    with before():
        running = threading.active_count()
        with told(lambda: "never said"):
            assert threading.active_count() == running, "there is nobody who could speak"
    with told(lambda: "said again"):
        assert stream.written.wait(PATIENCE)
    assert "never said" not in stream.getvalue()


def test_a_record_that_is_long_on_its_way_is_told_of(heard, monkeypatch, tmp_path):
    """The command line speaks; the rooms below it, which reach the store, do not."""
    stream = heard(terminal=False)
    monkeypatch.setattr(places, "write_place", lambda record, place: stream.written.wait(PATIENCE))
    assert put_record(fake.record(), str(tmp_path))
    assert stream.getvalue().startswith(f"bench: writing to {tmp_path}")
