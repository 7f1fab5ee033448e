"""What a backend says of its devices reaches the parent."""

from __future__ import annotations

import os
from types import SimpleNamespace

import msgspec
import pytest

from bench.contract import Device, Probe
from bench.worker import describe as module
from bench.worker.answers import PluginInfo
from bench.worker.channel import Channel
from bench.worker.jobs import Describe, PluginRef
from bench.worker.plugins import Loaded

DEVICE = ("x:0", "gpu", "X", ("fp32",), "gpu:0")


@pytest.mark.parametrize(("device", "joins"), [(Device(*DEVICE), False), (Device(*DEVICE, joins=True), True)])
def test_whether_a_device_joins_others(monkeypatch, device, joins):
    backend = SimpleNamespace(name="x", probe=lambda: Probe((device,), {"x": "1"}))
    monkeypatch.setattr(module, "load_plugin", lambda plugin: Loaded([backend], [], []))
    answer = module.describe(Describe(plugin=PluginRef("x", "x")), Channel(os.open(os.devnull, os.O_WRONLY)))
    (found,) = msgspec.json.decode(msgspec.json.encode(answer), type=PluginInfo).backends[0].devices
    assert found.joins is joins
