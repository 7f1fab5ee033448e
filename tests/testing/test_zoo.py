"""The kit bites: an honest backend passes everything, and each cheat fails the very checks that are meant for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.testing.zoo import CHEATS, HONEST, examine


@pytest.mark.parametrize("workload", ["kit-residual", "kit-assorted"])
@pytest.mark.parametrize("precision", ["float64", "fp32", "tf32", "bf16"])
def test_an_honest_backend_passes_every_check(precision: str, workload: str):
    checks = list(examine(replace(HONEST, precision=precision, workload=workload)))
    assert len(checks) > 40
    assert [check for check in checks if not check.passed] == []


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_fails_the_checks_that_are_meant_for_it(name: str):
    cheat = CHEATS[name]
    missed = set(cheat.caught_by)
    assert missed
    for check in examine(cheat):
        if not check.passed:
            missed.discard(check.name)
        if not missed:
            break
    assert missed == set()
