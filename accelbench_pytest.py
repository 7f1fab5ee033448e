"""A fixture that runs cases of this harness under pytest-benchmark: its tables, files and comparisons, our numbers.

    def test_training(bench_case):
        bench_case(backend="cpu", size="tiny", phase="train")

Each round is one fresh worker process. pytest-benchmark gets a timer that stands still but for what a process itself measured,
so a round's time is that process's seconds per image, and nothing of its start or its checks.

pytest loads this module in every project of an environment, through the entry-point group ``pytest11``. It has a name of ours and
imports nothing of accelbench before a test uses the fixture, so a project's own packages ``bench``, ``backends`` or ``workloads``
are left alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROUNDS = 5


class ProcessClock:
    """Stands still, except for what worker processes report."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds, as a timer gives them."""
        return self.now


CLOCK = ProcessClock()


def pytest_configure(config: pytest.Config) -> None:
    """Keep pytest-benchmark from comparing records of different machines."""
    if config.pluginmanager.hasplugin("benchmark"):
        config.pluginmanager.register(_Benchmark(), "accelbench-benchmark")


class _Benchmark:
    """Hooks that only exist where pytest-benchmark does."""

    def pytest_benchmark_update_machine_info(self, config: pytest.Config, machine_info: dict[str, Any]) -> None:
        """The machine as records describe it, and the devices of the cases that ran; nothing where none did."""
        if _machine_facts:
            machine_info["accelbench"] = _machine_facts

    def pytest_benchmark_compare_machine_info(
        self, config: pytest.Config, benchmarksession: Any, machine_info: dict[str, Any], compared_benchmark: dict[str, Any]
    ) -> None:
        """Refuse to compare across machines."""
        theirs = (compared_benchmark.get("machine_info") or {}).get("accelbench", {})
        ours = _machine() if theirs else {}  # pytest-benchmark compares before any test has run
        if theirs and theirs.get("fingerprint") != ours.get("fingerprint"):
            raise pytest.UsageError(
                f"the stored benchmark was made on another machine (fingerprint {theirs.get('fingerprint')}, here "
                f"{ours.get('fingerprint')}); compare across machines with 'bench compare', which gives no verdict"
            )


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests that use the fixture are timed by the processes' own clock."""
    fixtures = getattr(item, "_fixtureinfo", None)
    defined = () if fixtures is None else fixtures.name2fixturedefs.get("bench_case", ())
    if any(fixture.func.__module__ == __name__ for fixture in defined[-1:]):  # not a project's own fixture of that name
        item.add_marker(pytest.mark.benchmark(timer=CLOCK))


_machine_facts: dict[str, Any] = {}


def _machine() -> dict[str, Any]:
    if not _machine_facts:
        from bench.run.session import identified

        machine = identified()
        _machine_facts.update(
            fingerprint=machine.fingerprint,
            cpu=machine.cpu,
            cores=machine.cores,
            gpus=[g.get("name", "") for g in machine.gpus],
            devices={},
        )
    return _machine_facts


@pytest.fixture
def bench_case(benchmark: Any) -> Iterator[Callable[..., Sequence[float]]]:
    """``bench_case(backend=…, size=…, phase=…)``: measure one case; returns each round's seconds per image.

    Takes the names of ``bench run``'s options: backend, device, workload, size, phase, precision, batch_size, seconds, threads,
    and rounds. Fails the test where a trial fails or cannot be proven, or nothing can be measured; skips it, with the
    backend's own reason, only where the backend that it names has no device here.
    """
    with tempfile.TemporaryDirectory(prefix="bench-pytest-") as folder:

        def measure(*, rounds: int = ROUNDS, **wishes: Any) -> Sequence[float]:
            if not isinstance(rounds, int) or rounds < 1:
                raise pytest.fail.Exception(
                    f"bench_case: {rounds!r} rounds are not possible; expected 1 or more", pytrace=False
                )
            return _measure(benchmark, Path(folder), rounds, wishes)

        yield measure


def _measure(benchmark: Any, folder: Path, rounds: int, wishes: dict[str, Any]) -> Sequence[float]:
    from accelbench_start import foreign_bench

    if trouble := foreign_bench():
        pytest.fail(f"bench_case: {trouble}", pytrace=False)
    from bench.errors import NoDeviceError, NotComparableError, UsageError
    from bench.run.single_case import SingleCase

    try:
        case = SingleCase(folder, wishes)
    except NoDeviceError as error:
        pytest.skip(str(error))
    except (NotComparableError, UsageError, AssertionError) as error:
        pytest.fail(str(error), pytrace=False)
    seconds: list[float] = []

    def one_round() -> None:
        try:
            value = case.measure()
        except AssertionError as error:
            pytest.fail(str(error), pytrace=False)
        seconds.append(value)
        CLOCK.now += value

    benchmark.extra_info.update(case.facts)
    _machine()["devices"][case.facts["device"]] = case.facts["versions"]
    benchmark.pedantic(one_round, rounds=rounds, iterations=1, warmup_rounds=0)
    return seconds


__all__ = ["CLOCK", "ProcessClock", "bench_case"]
