"""A worker gives a sign of life in everything it does by itself, and counts the silence of a plugin."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from backends.cpu import CpuBackend
from bench.entry_points import PluginRef
from bench.oracle import model
from bench.record.schema import Case, Place
from bench.worker.channel import BRIEFLY, Alive, Beat, Channel, Event
from bench.worker.jobs import Blocks, DataSpec, Measure, Prepare, Verify
from bench.worker.measure import measure
from bench.worker.prepare import prepare
from bench.worker.verify import verify_case

DOTS, CPU = PluginRef("dots", "tests.support.misbehaving"), PluginRef("cpu", "backends.cpu")


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_busy_gives_signs_of_life_by_itself(pipe):
    reading, writing = pipe
    with Channel(writing).busy():
        line = os.read(reading, 1000).splitlines()[0]  # waits for as long as it takes
    assert isinstance(msgspec.json.decode(line, type=Event), Alive)


def test_a_sign_of_life_swallows_no_news(pipe):
    reading, writing = pipe
    channel = Channel(writing)
    for epoch in range(1, 4):
        channel.alive()
        channel.beat(epoch, 3, f"epoch {epoch}")
    said = [msgspec.json.decode(line, type=Event) for line in os.read(reading, 10_000).splitlines()]
    assert [event.text for event in said if isinstance(event, Beat)] == ["epoch 1", "epoch 2", "epoch 3"]


class Watched(Channel):
    """A channel that knows whether the harness is at work by itself."""

    at_work = False

    @contextmanager
    def busy(self):
        self.at_work = True
        with super().busy():
            yield
        self.at_work = False


class Loud:
    """A trainer or predictor that must never be called while the harness says that it works by itself."""

    def __init__(self, inner, channel):
        self._inner, self._channel = inner, channel

    def __getattr__(self, name):
        found = getattr(self._inner, name)

        def called(*arguments):
            assert not self._channel.at_work, f"{name} is called where its silence would not count"
            return found(*arguments)

        return called if callable(found) else found


@pytest.fixture
def channel(pipe, monkeypatch):
    found = Watched(os.open(os.devnull, os.O_WRONLY))
    found.how_to_check.put(BRIEFLY)
    run = model._network

    def watched(*arguments):
        assert found.at_work, "the oracle computes in silence"
        return run(*arguments)

    monkeypatch.setattr(model, "_network", watched)
    for made in ("trainer", "predictor"):
        make = getattr(CpuBackend, made)
        monkeypatch.setattr(CpuBackend, made, lambda *given, make=make: Loud(make(*given), found))
    return found


def prepared(folder: Path, channel: Channel) -> str:
    job = Prepare(plugin=DOTS, workload="dots", size="small", data=DataSpec(count=80), cache=str(folder), files=False)
    return prepare(job, channel).folder


def case(phase: str, scenario: str, **changes) -> Case:
    fields = {"backend": "cpu", "places": (Place("cpu"),), "workload": "dots", "size": "small", "precision": "fp32"}
    return Case(**fields | {"phase": phase, "scenario": scenario, "batch_size": 8} | changes)


@pytest.mark.parametrize(
    ("phase", "scenario"),
    [("train", ""), ("train", "to-quality"), ("infer", "offline"), ("infer", "single-stream")],
)
def test_a_trial_is_never_silent_by_itself(tmp_path, channel, phase, scenario):
    folder = prepared(tmp_path, channel)
    more = {"epochs": 1, "targets": {"auc": 0.1}} if scenario == "to-quality" else {}
    size = 1 if scenario == "single-stream" else 8
    blocks = Blocks(steps=2 if size > 1 else 1, warmup=1, samples=5)
    job = Measure(
        case=case(phase, scenario, **more | {"batch_size": size}),
        backend=CPU,
        workload=DOTS,
        prepared=folder,
        cache=None,
        seconds=0.01,
        seed=1,
        blocks=None if scenario == "to-quality" else blocks,
    )
    assert [check.name for check in measure(job, channel).checks if "loss" in check.name or "predictions" in check.name]


def test_verifying_is_never_silent_by_itself(channel):
    job = Verify(case=case("train", "", batch_size=0), backend=CPU, workload=DOTS)
    assert all(check.passed for check in verify_case(job, channel))


def test_an_oracle_outside_would_be_found(channel):
    from tests.support.misbehaving import NETWORK

    with pytest.raises(AssertionError, match="in silence"):
        model.predict(NETWORK, {}, np.zeros((1, 8, 8, 3), np.uint8))
