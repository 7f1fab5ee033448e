"""Other processes at work are told from this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.machine import other_work
from bench.machine.other_work import OtherWork


def stat(root: Path, busy: int, steal: int = 0) -> None:
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/stat").write_text(f"cpu  {busy} 0 0 99999 50 0 0 {steal} 0 0\ncpu0 1 2 3\n")


@pytest.mark.parametrize(
    ("ticks", "steal", "own", "busy"),
    [(1000, 0, 10.0, False), (1000, 0, 4.0, True), (100, 0, 0.0, False), (400, 0, 0.0, True), (0, 400, 0.0, True)],
    ids=["only we", "we and others", "housekeeping", "only others", "stolen"],
)
def test_what_others_use_is_what_we_did_not(tmp_path, monkeypatch, ticks, steal, own, busy):
    """Ten seconds, at a hundred ticks each."""
    clock, spent = iter([0.0, 10.0]), iter([0.0, own])
    monkeypatch.setattr(other_work.os, "sysconf", lambda name: 100)
    monkeypatch.setattr(other_work.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(other_work.time, "process_time", lambda: next(spent))
    stat(tmp_path, 5000)
    work = OtherWork(tmp_path)
    stat(tmp_path, 5000 + ticks, steal)
    assert work.busy() is busy


def test_a_system_that_tells_nothing_is_not_busy(tmp_path):
    work = OtherWork(tmp_path)
    assert not work.busy()
