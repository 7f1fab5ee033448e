"""A pilot tries what a backend offers, keeps what is fastest, and later runs on the machine remember it."""

from __future__ import annotations

import gc
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from bench.contract import Settings, Workload
from bench.entry_points import PluginRef
from bench.errors import PluginError
from bench.record.files import read_record
from bench.record.schema import Record
from bench.run.remembered import CHOICES
from bench.run.runner import Runner
from bench.spec import Dense, Flatten, Network, sequential
from bench.testing.reference import ReferenceBackend
from bench.worker import ceiling, measure_inference
from bench.worker import search as searching
from bench.worker.answers import Choice, RankResult
from bench.worker.jobs import Blocks, MeasureCeiling
from bench.worker.search import check_ways
from bench.worker.timing import PilotCourse, seconds_per_step
from tests.support.records import infer, train
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
    record = run(tmp_path, site, "results", "--until-quality", "--target", "auc=0.55", "--epochs", "4")
    assert record.cases[0].options == {"pause": "0"}
    assert searches(tmp_path / "results") == 1
    assert [trial.role for trial in record.trials] == ["trial"]


@pytest.mark.parametrize("content", [b'{"\xff": 1}', b'{"a":' * 3000, b"[]"], ids=["bytes", "nesting", "type"])
def test_a_damaged_memory_is_found_out_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    (tmp_path / "choices").mkdir()
    (tmp_path / "choices" / "machine.json").write_bytes(content)
    assert CHOICES.recall("machine", "case") is None
    CHOICES.remember("machine", {"case": Choice({"a": "b"}, "note")})
    assert CHOICES.recall("machine", "case") == Choice({"a": "b"}, "note")


def test_a_memory_that_cannot_be_written_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    (tmp_path / "choices").touch()
    CHOICES.remember("machine", {"case": Choice({}, "")})
    assert CHOICES.recall("machine", "case") is None


@pytest.mark.parametrize("ways", [[{"a": 1}, {}], [["a"], {}], [{"a": "\x1b"}, {}], [{"a": "b" * 100}, {}], [{}] * 17])
def test_what_is_no_answer_to_alternatives_is_refused(ways: list[Any]):
    with pytest.raises(PluginError, match=r"alternatives\(\) gave"):
        check_ways(ways)


@pytest.mark.parametrize(("timed", "tried"), [(1.0, "32, 128, 512, 2048"), (7.0, "32, 128")], ids=["quick", "slow"])
def test_a_batch_size_is_chosen_by_timed_seconds_alone(monkeypatch: pytest.MonkeyPatch, timed: float, tried: str):
    """Each size takes a hundred seconds to build, and what is timed grows quicker with the size."""
    clock = [0.0]
    monkeypatch.setattr(measure_inference, "perf_counter", lambda: clock[0])

    def pilot(bench: Any, size: int) -> tuple[PilotCourse, RankResult]:
        clock[0] += 100.0 + timed
        return PilotCourse([1] * 20, [timed / 20 * (1 + 1 / size)] * 20), RankResult(stages={}, batch_size=size)

    monkeypatch.setattr(measure_inference, "_pilot", pilot)
    job = SimpleNamespace(candidates=(32, 128, 512, 2048), seconds=1.0, case=SimpleNamespace(batch_size=32))
    bench = SimpleNamespace(job=job, channel=SimpleNamespace(beat=lambda *_: None), stages={})
    found = measure_inference._choose_batch(bench)
    assert found.chosen == f"pilot over {tried}"
    assert found.batch_size == int(tried.rsplit(", ", maxsplit=1)[-1])


class Ways(ReferenceBackend):
    """Offers a way that is ten times quicker than the usual one by a clock of its own, and one that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = [0.0]

    def alternatives(self, workload: Workload, phase: str, settings: Settings) -> list[dict[str, str]]:
        return [{}, {"way": "broken"}, {"way": "quick"}]

    def predictor(self, workload: Workload, weights: Any, device: str, settings: Settings) -> Any:
        way = settings.options.get("way", "")
        if way == "broken":
            raise RuntimeError("no such kernel")
        inner = super().predictor(workload, weights, device, settings)
        run = inner.run

        def timed(staged: Any) -> Any:
            self.clock[0] += 0.1 if way else 1.0
            return run(staged)

        inner.run = timed
        return inner


def test_memory_is_read_in_the_quickest_way(monkeypatch: pytest.MonkeyPatch):
    network = Network(4, 4, 2, sequential(flat=Flatten(), head=Dense(48, 2)))
    shapes = [ceiling._Shape("small", kind, network, (1,)) for kind in ("memory", "arithmetic")]
    backend = Ways()
    monkeypatch.setattr(ceiling, "seconds_per_step", partial(seconds_per_step, clock=lambda: backend.clock[0]))
    monkeypatch.setattr(ceiling, "_shapes", lambda kind: shapes)
    monkeypatch.setattr(ceiling, "find_backend", lambda *_: backend)
    job = MeasureCeiling(
        case=train("ways", "reference", cores=1), backend=PluginRef("ways", "ways"), workload=PluginRef("dots", "dots")
    )
    memory, arithmetic = ceiling.measure_ceiling(job, SimpleNamespace(stage=lambda *_: None, beat=lambda *_: None))
    assert memory.shape == "small, batch 1, ways, way=quick"
    assert arithmetic.shape == "small, batch 1, ways"


class Card:
    """A device whose memory holds one way at a time, and refuses a second."""

    def __init__(self) -> None:
        self.taken = self.refused = 0

    def build(self) -> Any:
        if self.taken:
            self.refused += 1
            raise MemoryError
        card = self

        class Way:
            def __init__(self) -> None:
                card.taken += 1
                self.itself = self  # as a recorded step holds its trainer

            def __del__(self) -> None:
                card.taken -= 1

            def run(self, steps: int) -> None:
                time.sleep(0.001 * steps)

        return Way().run


@pytest.mark.parametrize("on_host", [True, False])
def test_ways_that_do_not_fit_the_memory_together_are_timed_alone(monkeypatch: pytest.MonkeyPatch, on_host: bool):
    card = Card()
    silent = SimpleNamespace(stage=lambda *_: None, beat=lambda *_: None)
    ways = SimpleNamespace(alternatives=lambda *_: [{"way": "a"}, {"way": "b"}, {"way": "c"}])
    job = SimpleNamespace(case=train(batch_size=8), candidates=())
    bench = SimpleNamespace(
        backend=ways,
        workload=None,
        settings=Settings("fp32", 8, 1),
        job=job,
        channel=silent,
        alive=lambda: None,
        on_host=on_host,
    )
    monkeypatch.setattr(searching, "set_up", lambda *_: bench)
    monkeypatch.setattr(searching, "_training", lambda *_: card.build())
    note = searching.search(job, silent).note
    assert all(f"way={way}" in note for way in "abc")
    assert "left out" not in note
    assert card.refused == (1 if on_host else 0), "an accelerator is never asked for two"
    gc.collect()
    assert card.taken == 0


RATES = {  # images per second, by way and batch size
    ("", 32): 100.0,
    ("close", 8): 20.0,
    ("close", 32): 95.0,
    ("close", 128): 0.0,  # set by the test
    ("far", 32): 50.0,
}


@pytest.mark.parametrize(
    ("rate", "chosen", "size"),
    [(130.0, {"way": "close"}, 128), (102.0, {}, 32), (0.0, {}, 32)],
    ids=["better", "no better", "too large"],
)
def test_a_way_and_its_batch_size_are_chosen_together(
    monkeypatch: pytest.MonkeyPatch, rate: float, chosen: dict[str, str], size: int
):
    """At the size that is fastest in the usual way another way comes close; at the next size it is faster, or not, or does not fit."""
    rates, asked = RATES | {("close", 128): rate}, []

    def built(bench: Any, settings: Settings) -> Any:
        asked.append((settings.options.get("way", ""), settings.batch_size))
        if not rates[asked[-1]]:
            raise MemoryError
        return partial(lambda pair, steps: pair, asked[-1])

    silent = SimpleNamespace(stage=lambda *_: None, beat=lambda *_: None)
    ways = SimpleNamespace(alternatives=lambda *_: [{}, {"way": "close"}, {"way": "far"}])
    bench = SimpleNamespace(
        backend=ways, workload=None, settings=Settings("fp32", 32, 1), channel=silent, alive=lambda: None, on_host=True,
        job=SimpleNamespace(case=infer(batch_size=32), candidates=(8, 32, 128)),
    )  # fmt: skip
    monkeypatch.setattr(searching, "set_up", lambda *_: bench)
    monkeypatch.setattr(searching, "_inference", built)
    monkeypatch.setattr(searching, "seconds_per_step", lambda run, seconds: run(0)[1] / rates[run(0)])
    found = searching.search(bench.job, silent)
    assert (found.options, found.batch_size) == (chosen, size)
    assert asked == [("", 32), ("close", 32), ("far", 32), ("close", 8), ("close", 128)]
    assert found.note.startswith("search over  100/s, way=close 95/s, way=far 50/s, at batch 8 way=close 20/s")
    bench.job.candidates = ()
    asked.clear()
    assert searching.search(bench.job, silent).batch_size == 0
    assert {tried for _, tried in asked} == {32}, "a size that the user gave is not a matter of choice"


class Scripted(Runner):
    """A runner whose pilots and searches answer at once."""

    too_large = 512

    def __init__(self, known: Choice | None, searched: Choice) -> None:
        case = SimpleNamespace(candidates=(8, 32, 128), case=infer(batch_size=8))
        self.plan, self.kept = SimpleNamespace(cases=[case]), []
        self.journal = SimpleNamespace(add=self.kept.append, settled=lambda index: None)
        self.known, self.searched = known, searched
        self.asked: list[Choice] = []

    def _piloted(self, index: int, choice: Choice, counts: bool = True) -> Any:
        self.asked.append(choice)
        if choice.batch_size == self.too_large:
            return None, None
        size, chosen = choice.batch_size or 32, "" if choice.batch_size else "pilot over 8, 32, 128"
        return None, RankResult(stages={}, batch_size=size, blocks=Blocks(steps=1, warmup=1, samples=1), chosen=chosen)

    def _known_choice(self, planned: Any) -> Choice | None:
        return self.known

    def _choice(self, planned: Any, case: Any, before: str = "") -> Choice:
        assert case.batch_size == 32, "ways are searched at the size that is fastest in the usual way"
        return replace(self.searched, note=f"{before}; {self.searched.note}") if self.searched.batch_size else self.searched


USUAL, ELSEWHERE = Choice({}, "search", 32), Choice({"way": "close"}, "search", 128)


@pytest.mark.parametrize(
    ("known", "searched", "sizes", "chosen"),
    [
        (None, USUAL, [0], "pilot over 8, 32, 128; search"),
        (None, ELSEWHERE, [0, 128], "pilot over 8, 32, 128; search"),
        (None, Choice({}, ""), [0], "pilot over 8, 32, 128"),
        (replace(ELSEWHERE, note="as then"), USUAL, [128], "as then"),
    ],
    ids=["usual", "another", "no ways", "remembered"],
)
def test_another_way_or_size_than_the_pilots_gets_its_own_pilot(
    known: Choice | None, searched: Choice, sizes: list[int], chosen: str
):
    runner = Scripted(known, searched)
    runner._pilot(0)
    assert [choice.batch_size for choice in runner.asked] == sizes
    (kept,) = runner.kept
    assert (kept.batch_size, kept.chosen) == (sizes[-1] or 32, chosen)
    assert kept.options == (known or searched).options


def test_a_remembered_batch_size_that_does_not_fit_any_more_is_chosen_anew():
    runner = Scripted(Choice({"way": "close"}, "as then", 512), ELSEWHERE)
    runner._pilot(0)
    assert [choice.batch_size for choice in runner.asked] == [512, 0, 128]
    (kept,) = runner.kept
    assert (kept.batch_size, kept.options) == (128, {"way": "close"})


@pytest.mark.parametrize("words", [("--no-search",), ("--option", "pause=0.01")], ids=" ".join)
def test_nothing_is_searched_for_where_it_is_not_wanted(tmp_path: Path, site: Path, words: tuple[str, ...]):
    record = run(tmp_path, site, "results", *STEADY, *words)
    assert record.cases[0].options == dict(word.split("=") for word in words[1:])
    assert record.cases[0].chosen == ""
    assert searches(tmp_path / "results") == 0
