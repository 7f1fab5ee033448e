"""A pilot tries what a backend offers, keeps what is fastest, and later runs on the machine remember it."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.contract import Settings
from bench.errors import PluginError
from bench.record.files import read_record
from bench.record.schema import Record
from bench.run.remembered import CHOICES
from bench.worker import search as searching
from bench.worker.answers import Choice
from bench.worker.search import check_ways
from tests.support.site import bench

RUN = ["run", "--workload", "dots", "--size", "small", "--backend", "choosy", "--precision", "float64"]
STEADY = ["--phase", "train"]
SHORT = ["--trials", "1", "--seconds", "0.1", "--no-ceilings"]


def run(folder: Path, site: Path, name: str, *words: str) -> Record:
    done = bench([*RUN, *SHORT, "-o", name, *words], folder, site)
    assert done.returncode == 0, done.stderr
    (place,) = (folder / name).iterdir()
    return read_record(place)


def searches(folder: Path) -> int:
    return len(list(folder.glob("*/logs/*-search.log")))


def test_the_fastest_way_that_works_is_measured_and_remembered(tmp_path: Path, site: Path):
    first = run(tmp_path, site, "first", *STEADY)
    assert first.cases[0].options == {"pause": "0"}
    assert first.cases[0].chosen.startswith("search over pause=0.02 ")
    assert "fault=raise left out: RuntimeError" in first.cases[0].chosen
    assert "pause=soon left out: ValueError" in first.cases[0].chosen
    assert searches(tmp_path / "first") == 1
    again = run(tmp_path, site, "again", *STEADY)
    assert again.cases == first.cases
    assert searches(tmp_path / "again") == 0


def test_a_training_to_its_target_goes_the_fastest_way_too(tmp_path: Path, site: Path):
    record = run(tmp_path, site, "results", "--until-quality", "--target", "accuracy=0.01", "--epochs", "1")
    assert record.cases[0].options == {"pause": "0"}
    assert searches(tmp_path / "results") == 1
    assert [trial.role for trial in record.trials] == ["trial"]


@pytest.mark.parametrize("content", [b'{"\xff": 1}', b'{"a":' * 3000, b"[]"], ids=["bytes", "nesting", "type"])
def test_a_damaged_memory_is_found_out_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    (tmp_path / "choices").mkdir()
    (tmp_path / "choices" / "machine.json").write_bytes(content)
    assert CHOICES.recall("machine", "case") is None
    CHOICES.remember("machine", "case", Choice({"a": "b"}, "note"))
    assert CHOICES.recall("machine", "case") == Choice({"a": "b"}, "note")


def test_a_memory_that_cannot_be_written_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    (tmp_path / "choices").touch()
    CHOICES.remember("machine", "case", Choice({}, ""))
    assert CHOICES.recall("machine", "case") is None


@pytest.mark.parametrize("ways", [[{"a": 1}, {}], [["a"], {}], [{"a": "\x1b"}, {}], [{"a": "b" * 100}, {}], [{}] * 17])
def test_what_is_no_answer_to_alternatives_is_refused(ways: list[Any]):
    with pytest.raises(PluginError, match=r"alternatives\(\) gave"):
        check_ways(ways)


def test_ways_that_do_not_fit_the_memory_together_are_timed_alone(monkeypatch: pytest.MonkeyPatch):
    class Thing:
        alive = 0

        def __init__(self) -> None:
            if Thing.alive:
                raise MemoryError
            Thing.alive += 1

            self.built = True

        def __del__(self) -> None:
            Thing.alive -= hasattr(self, "built")

        def run(self, steps: int) -> None:
            time.sleep(0.001 * steps)

    silent = SimpleNamespace(stage=lambda *_: None, beat=lambda *_: None)
    ways = SimpleNamespace(alternatives=lambda *_: [{"way": "a"}, {"way": "b"}])
    job = SimpleNamespace(case=SimpleNamespace(phase="train", batch_size=8))
    bench = SimpleNamespace(
        backend=ways, workload=None, settings=Settings("fp32", 8, 1), job=job, channel=silent, alive=lambda: None
    )
    monkeypatch.setattr(searching, "set_up", lambda *_: bench)
    monkeypatch.setattr(searching, "_training", lambda *_: Thing().run)
    note = searching.search(job, silent).note
    assert "way=a" in note
    assert "way=b" in note
    assert "left out" not in note


@pytest.mark.parametrize("words", [("--no-search",), ("--option", "pause=0.01")], ids=" ".join)
def test_nothing_is_searched_for_where_it_is_not_wanted(tmp_path: Path, site: Path, words: tuple[str, ...]):
    record = run(tmp_path, site, "results", *STEADY, *words)
    assert record.cases[0].options == dict(word.split("=") for word in words[1:])
    assert record.cases[0].chosen == ""
    assert searches(tmp_path / "results") == 0
