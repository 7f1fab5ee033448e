"""The kit bites: an honest backend passes everything, and each cheat fails the very checks that are meant for it.

The clock is the tests' own: it advances by one for each image that the oracle works on, so that a busy machine changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bench.oracle.model import Oracle
from bench.testing import proof, reference
from bench.testing.zoo import CHEATS, HONEST, examine
from bench.verify import pace, unforeseen, walk, witness

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Time in images: a step costs three for each (forward and backward), a forward pass one, a look at the clock next to
    nothing."""
    now = [0.0]

    def tick() -> float:
        now[0] += 1e-6
        return now[0]

    def costing(function: Callable[..., Any], images: int, cost: float) -> Callable[..., Any]:
        def working(*arguments: Any) -> Any:
            now[0] += cost * len(arguments[images])
            return function(*arguments)

        return working

    monkeypatch.setattr(Oracle, "look", costing(Oracle.look, 1, 3e-3))
    monkeypatch.setattr(reference, "predict", costing(reference.predict, 2, 1e-3))
    monkeypatch.setattr(reference, "training_loss", costing(reference.training_loss, 3, 1e-3))
    for module in (pace, walk, witness):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=tick))
    monkeypatch.setattr(pace, "DISTURBED_SECONDS", 0.0)
    monkeypatch.setattr(pace, "TRIES", 4)  # by this clock the next try takes as long as the last
    monkeypatch.setattr(proof, "time", SimpleNamespace(perf_counter=tick))
    return now


@pytest.mark.parametrize("workload", ["kit-residual", "kit-assorted"])
@pytest.mark.parametrize("precision", ["float64", "fp32", "tf32", "bf16"])
def test_an_honest_backend_passes_every_check(precision: str, workload: str, clock: list[float]):
    checks = list(examine(replace(HONEST, precision=precision, workload=workload)))
    assert len(checks) > 40
    assert [check for check in checks if not check.passed] == []
    assert clock[0] > 1


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_fails_the_checks_that_are_meant_for_it(name: str, monkeypatch: pytest.MonkeyPatch):
    cheat = CHEATS[name]
    if cheat.repeats:
        monkeypatch.setattr(unforeseen, "AFFORDABLE_ELEMENTS", 0)
    missed = set(cheat.caught_by)
    assert missed
    for check in examine(cheat):
        if not check.passed:
            missed.discard(check.name)
        if not missed:
            break
    assert missed == set()
