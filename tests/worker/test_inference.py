"""Inference as it is measured: so many batches in flight as the scenario and the predictor say."""

from __future__ import annotations

import os

import pytest

from backends.cpu import CpuBackend
from bench.worker import measure_inference
from bench.worker.channel import BRIEFLY, THOROUGHLY, Channel
from bench.worker.feed import Feed
from bench.worker.jobs import Blocks, Measure
from bench.worker.measure import measure
from tests.worker.test_alive import CPU, DOTS, case, prepared


class Counting:
    """A predictor that knows how many of its batches were in flight at most."""

    def __init__(self, inner, most):
        self._inner, self._now, self.most = inner, 0, most

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def run(self, staged):
        self._now += 1
        self.most.append(self._now)
        return self._inner.run(staged)

    def wait(self, pending):
        self._now -= 1
        return self._inner.wait(pending)


def test_a_query_finds_its_image_made(tmp_path, monkeypatch):
    """Its time holds the query alone, and no query gets an image that another has had."""
    channel = Channel(os.open(os.devnull, os.O_WRONLY))
    monkeypatch.setattr(channel, "turn", lambda: None)
    channel.how_to_check.put(THOROUGHLY)
    inside, asked = [False], []
    timed, make = measure_inference.time_one_by_one, Feed.batch

    def watched(query, *given, **named):
        def asking():
            inside[0] = True
            found = query()
            inside[0] = False
            return found

        return timed(asking, *given, **named)

    def batch(feed, place):
        assert not inside[0]
        found = make(feed, place)
        asked.append(found[0].tobytes())
        return found

    monkeypatch.setattr(measure_inference, "time_one_by_one", watched)
    monkeypatch.setattr(Feed, "batch", batch)
    job = Measure(
        case=case("infer", "single-stream", batch_size=1), backend=CPU, workload=DOTS, prepared=prepared(tmp_path, channel),
        seconds=0.01, seed=1, blocks=Blocks(steps=1, warmup=1, samples=200),
    )  # fmt: skip
    found = measure(job, channel)
    assert all(check.passed for check in found.checks if "predictions" in check.name)
    assert len(asked) >= 201
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize(
    ("scenario", "says", "in_turns", "expected"),
    [("offline", None, False, 2), ("offline", 4, False, 4), ("offline", 4, True, 4), ("single-stream", 4, False, 1)],
)
def test_as_many_batches_are_in_flight_as_are_asked_for(tmp_path, monkeypatch, scenario, says, in_turns, expected):
    channel = Channel(os.open(os.devnull, os.O_WRONLY))
    monkeypatch.setattr(channel, "turn", lambda: None)
    channel.how_to_check.put(BRIEFLY if in_turns else THOROUGHLY)
    most: list[int] = []
    make = CpuBackend.predictor

    def predictor(*given):
        made = Counting(make(*given), most)
        if says is not None:
            made.in_flight = says
        return made

    monkeypatch.setattr(CpuBackend, "predictor", predictor)
    size = 1 if scenario == "single-stream" else 8
    job = Measure(
        case=case("infer", scenario, batch_size=size), backend=CPU, workload=DOTS, prepared=prepared(tmp_path, channel),
        seconds=0.01, seed=1, blocks=Blocks(steps=6 if size > 1 else 1, warmup=1, samples=5), in_turns=in_turns,
    )  # fmt: skip
    found = measure(job, channel)
    assert (len(found.samples), found.brief) == (6, in_turns)
    assert all(check.passed for check in found.checks if "predictions" in check.name)
    assert max(most) == expected
