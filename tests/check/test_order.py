"""In which order a check measures its cases."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from bench.check.budget import plan_budget
from bench.check.gate import Gate
from bench.run.arms import PairedCase


def test_a_check_that_is_gone_on_with_judges_as_it_did(monkeypatch):
    """Pairs from before an interruption are not measured again, also where the budget is spent, and looks see as many pairs."""
    measured, looked = [], []
    pairs: Any = SimpleNamespace(measure=lambda case, number: measured.append(number), made=lambda case, number: number < 7)
    gate = Gate(pairs, "check", None, 10, lambda text: None)
    monkeypatch.setattr(gate, "_decided", lambda case, look, pairs: looked.append((look.pairs, pairs)))
    budget = plan_budget([1.0], None, 10)
    gate._measure([PairedCase("a", "a", 0, 0)], budget, math.inf)
    assert measured == [7, 8, 9]
    assert looked == [(look.pairs, look.pairs) for look in budget.looks]
    measured.clear()
    gate._measure([PairedCase("a", "a", 0, 0)], plan_budget([1.0], None, 80), -math.inf)
    assert measured == []


def test_cases_are_measured_in_reverse_in_every_second_round(monkeypatch):
    measured: list[tuple[str, int]] = []
    pairs: Any = SimpleNamespace(
        measure=lambda case, number: measured.append((case.identity, number)), made=lambda case, number: False
    )
    cases = [PairedCase(name, name, place, place) for place, name in enumerate("abcde")]
    gate = Gate(pairs, "check", None, 10, lambda text: None)
    monkeypatch.setattr(gate, "_decided", lambda case, look, pairs: case.identity in "ab" and look.pairs == 6)
    gate._measure(cases, plan_budget([1.0] * len(cases), None, 10), math.inf)
    rounds = [[name for name, n in measured if n == number] for number in range(10)]
    assert all(sorted(names) == (list("abcde") if n < 6 else list("cde")) for n, names in enumerate(rounds))
    assert [later[::-1] for later in rounds[1::2]] == rounds[::2]
    assert len({tuple(names) for names in rounds[:6:2]}) > 1, "each two rounds are drawn"
