"""A compilation is called cached only where something was cached."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bench.record.schema import Case, Place
from bench.worker.jobs import Measure, PluginRef
from bench.worker.workbench import Workbench


class Silent:
    """A channel that nobody listens to."""

    def stage(self, name):
        pass


def bench(cached, cache):
    case = Case(backend="x", places=(Place("x:0"),), workload="dots", size="small", phase="train")
    job = Measure(
        case=case, backend=None, workload=PluginRef("dots", "dots"), prepared="", seconds=1.0, seed=0, cached=cached, cache=cache
    )  # fmt: skip
    return Workbench(job, Silent(), workload=None, backend=None)


@pytest.fixture
def filled(tmp_path):
    """A folder in which a backend has kept a program."""
    (tmp_path / "filled" / "inductor").mkdir(parents=True)
    (tmp_path / "filled" / "inductor" / "program").touch()
    return str(tmp_path / "filled")


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "empty" / "inductor").mkdir(parents=True)
    return str(tmp_path / "empty")


def test_a_filled_cache_is_cached_for_a_case_that_was_compiled(filled):
    assert bench(True, filled).compile(SimpleNamespace(compile=list)) == "cached"
    assert bench(False, filled).compile(SimpleNamespace(compile=list)) == "cold"


def test_a_backend_that_keeps_nothing_compiles_cold_every_time(empty, tmp_path):
    for cache in (empty, None, str(tmp_path / "not-there")):
        assert bench(True, cache).compile(SimpleNamespace(compile=list)) == "cold"


def test_what_a_compilation_leaves_counts_for_the_next(empty, tmp_path):
    made = SimpleNamespace(compile=(tmp_path / "empty" / "program").touch)
    assert [bench(True, empty).compile(made) for _ in range(2)] == ["cold", "cached"]


def test_without_a_compilation_there_is_no_word(filled):
    assert bench(True, filled).compile(SimpleNamespace()) == ""
