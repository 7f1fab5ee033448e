"""A clock for the kit's tests that other work on this machine does not disturb."""

from __future__ import annotations

import time

import pytest


@pytest.fixture(autouse=True)
def own_seconds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the host, the proofs of timed blocks count the seconds that this process computes, and none that others are given."""
    target = getattr(getattr(request.node, "callspec", None), "params", {}).get("target")
    if target is not None and target.device is not None and target.device.kind == "cpu":
        monkeypatch.setattr(time, "perf_counter", time.process_time)
