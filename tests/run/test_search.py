"""A pilot tries what a backend offers, keeps what is fastest, and later runs on the machine remember it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.record.files import read_record
from bench.record.schema import Record
from tests.support.site import bench

RUN = ["run", "--workload", "dots", "--size", "small", "--backend", "choosy", "--phase", "train", "--precision", "float64"]
SHORT = ["--trials", "1", "--seconds", "0.1", "--no-ceilings"]


def run(folder: Path, site: Path, name: str, *words: str) -> tuple[Record, subprocess.CompletedProcess[str]]:
    done = bench([*RUN, *SHORT, "-o", name, *words], folder, site)
    assert done.returncode == 0, done.stderr
    (place,) = (folder / name).iterdir()
    return read_record(place), done


def test_the_fastest_way_that_works_is_measured_and_remembered(tmp_path: Path, site: Path):
    first, _ = run(tmp_path, site, "first")
    assert first.cases[0].options == {"pause": "0"}
    assert first.cases[0].chosen.startswith("search over pause=0.02 ")
    assert "fault=raise" not in first.cases[0].chosen
    assert "search" in first.trials[0].stages
    again, _ = run(tmp_path, site, "again")
    assert again.cases == first.cases
    assert all("search" not in trial.stages for trial in again.trials)


@pytest.mark.parametrize("words", [("--no-search",), ("--option", "pause=0.01")], ids=" ".join)
def test_nothing_is_searched_for_where_it_is_not_wanted(tmp_path: Path, site: Path, words: tuple[str, ...]):
    record, _ = run(tmp_path, site, "results", *words)
    assert record.cases[0].options == dict(word.split("=") for word in words[1:])
    assert record.cases[0].chosen == ""
    assert "search" not in record.trials[0].stages
