"""What comes through a worker's pipe: only lines with the job's token are events, and there is a bound to all of it."""

from __future__ import annotations

import os

import msgspec
import pytest

from bench.run import events as module
from bench.run.events import Events
from bench.worker.channel import Beat, Channel, Failure, Result, Stage

TOKEN = "0123456789abcdef"


def said(*pieces: bytes, token: str = TOKEN) -> tuple[list[object], Events]:
    events = Events(token)
    for piece in pieces:
        events.feed(piece)
    return list(iter(events.next, None)), events


def line(event: object, token: str = TOKEN) -> bytes:
    return f"\n{token}".encode() + msgspec.json.encode(event) + b"\n"


def test_what_a_channel_sends_is_heard_whole_however_it_is_cut():
    reading, writing = os.pipe()
    channel = Channel(writing, TOKEN)
    channel.stage("import")
    channel.result({"a": [1, 2]})
    data = os.read(reading, 10_000)
    os.close(reading)
    os.close(writing)
    for size in (1, 7, len(data)):
        found, events = said(*(data[start : start + size] for start in range(0, len(data), size)))
        assert found == [Stage("import"), Result(msgspec.Raw(b'{"a":[1,2]}'))]
        assert not events.fault


def test_a_forged_result_is_none():
    forged = msgspec.json.encode(Result(msgspec.Raw(b"{}"))) + b"\n"
    found, _ = said(forged, line(Result(msgspec.Raw(b"[]")), "f" * 16), b"half a line", line(Beat(1.0, 2.0)), forged)
    assert found == [Beat(1.0, 2.0)]


def test_without_a_token_an_event_is_its_json_alone():
    """As a worker of another release sends it, which is asked which it is."""
    assert said(msgspec.json.encode(Stage("x")) + b"\n", token="")[0] == [Stage("x")]


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"type":"result"', b"\xff\xfe", b'{"type":"stage","name":5}'])
def test_what_cannot_be_decoded_is_dropped(value):
    found, events = said(b"\n" + TOKEN.encode() + value + b"\n", line(Stage("x")))
    assert found == [Stage("x")]
    assert not events.fault


def test_words_of_a_failure_are_cut():
    ((failure,), _) = said(line(Failure("failed", "x" * 5_000_000)))
    assert len(failure.message) == 2000


def test_a_flood_is_not_kept_and_has_an_end(monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 1 << 20)
    monkeypatch.setattr(module, "MOST", 4 << 20)
    piece = b"x" * (1 << 16)
    events = Events(TOKEN)
    while not events.fault:
        events.feed(piece)
        assert len(events._rest) <= len(TOKEN)
    assert events.fault == "the worker's pipe got more than 4 MiB; only the harness may write there"
    empty, begun = said(b"\n" * (1 << 20))[1], Events(TOKEN)
    assert not empty._whole
    begun.feed(b"\n" + TOKEN.encode())
    while not begun.fault:
        begun.feed(piece)
    assert begun.fault.startswith("the worker's pipe got an event of more than 1 MiB")
