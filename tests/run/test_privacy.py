"""No path, no file name and no home folder leaves in a record."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.run.privacy import Scrub, private_command
from bench.worker.jobs import DataSpec

DATA = DataSpec(path="/mnt/st mary/patients", labels="/mnt/st mary/anna_smith.csv")


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (["bench", "run", "--data", "patients.npz", "--size", "tiny"], ["bench", "run", "--data", "…", "--size", "tiny"]),
        (["bench", "run", "--labels=anna_smith.csv"], ["bench", "run", "--labels=…"]),
        (["/home/x/.venv/bin/bench", "run", "-o", "out"], ["…", "run", "-o", "…"]),
        (["bench", "check", "--against", "../main/bin/python"], ["bench", "check", "--against", "…"]),
        (["bench", "run", "--option", "cache=/home/x"], ["bench", "run", "--option", "cache=…"]),
    ],
)
def test_a_command_keeps_no_place(command, kept):
    assert private_command(command) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("IMG_0042_smith.jpg cannot be decoded (truncated)", "… cannot be decoded (truncated)"),
        ("/mnt/st mary/patients holds no images", "… holds no images"),
        ('File "/home/anna/project/engine.py", line 3, in run', 'File "…/engine.py", line 3, in run'),
        ("smith.hdf5 and smith.xlsx", "… and …"),
        ("reading /data/scans/a.PNG: no", "reading …: no"),
        ("loss 0.3 on an unforeseen batch, the oracle says 0.7", "loss 0.3 on an unforeseen batch, the oracle says 0.7"),
        ("12 images/s and/or more", "12 images/s and/or more"),
        (f"cannot write {Path.home()}/x", "cannot write …"),
        ("x" * 5_000_000, "x" * 1999 + "…"),  # a stranger's exception: its beginning, at once
        ("a.png.b.jpg.old and .csv", "….old and .csv"),
        ("half a pair: \ud800", "half a pair: \\ud800"),
    ],
)
def test_free_text_keeps_no_place_and_no_file(text, kept):
    assert Scrub(DATA).text(text) == kept


@given(st.lists(st.text("abc_xyz ", min_size=1, max_size=8).map(str.strip).filter(bool), min_size=3, max_size=5))
def test_no_folder_of_an_absolute_path_survives(parts):
    folders = "/".join(f"secret{part.replace(' ', '')}" for part in parts)
    assert "secret" not in Scrub(DATA).text(f"cannot open /{folders}/file: denied")
