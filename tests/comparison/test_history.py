"""Series of records: change points with the record and commit that brought them."""

from __future__ import annotations

import msgspec
import pytest

from bench.comparison.history import history
from bench.record.schema import Extended, Record
from bench.statistics.pairs import Verdict
from tests.support import records as fake


def series(rates: list[float], between: float = 0.003) -> list[Record]:
    return [
        fake.record(
            f"r{number:02d}",
            [fake.Script(fake.train(), rate, between=between)],
            seed=number,
            created=f"2026-01-{number + 1:02d}T10:00:00Z",
            bench={"version": "0.1.0", "commit": f"commit{number:02d}"},
        )
        for number, rate in enumerate(rates)
    ]


def test_a_lasting_change_is_marked_with_the_record_that_brought_it():
    (line,) = history(list(reversed(series([100.0] * 8 + [90.0] * 6))))
    (change,) = line.changes
    assert line.points[change.at].commit == "commit08"
    assert change.log_ratio == pytest.approx(0.105, abs=0.01)
    assert line.worse_in_last(6)
    assert not line.worse_in_last(5)


@pytest.mark.parametrize(
    ("rates", "between", "verdict", "reason"),
    [
        ([100.0] * 14, 0.003, Verdict.PASS, ""),
        ([100.0] * 9 + [90.0] * 5, 0.003, Verdict.REGRESSED, ""),
        ([90.0] * 9 + [100.0] * 5, 0.003, Verdict.PASS, ""),
        ([100.0] * 12, 0.003, Verdict.INCONCLUSIVE, "12 records tell nothing of the last 5; expected 8 or more before them"),
        ([100.0] * 14, 0.2, Verdict.INCONCLUSIVE, "too few or too noisy to tell whether it is 5 %"),
    ],
)
def test_the_last_records_are_judged(rates, between, verdict, reason):
    (line,) = history(series(rates, between))
    found = line.judged(5)
    assert found[0] is verdict
    assert reason in found[1]
    assert bool(found[1]) == bool(reason)


def test_records_that_a_check_made_are_no_part_of_history():
    labelled = [msgspec.structs.replace(record, labels={"check": "c1"}) for record in series([50.0] * 3)]
    (line,) = history([*series([100.0] * 8), *labelled])
    assert len(line.points) == 8
    assert line.changes == ()


def test_a_record_that_another_one_extends_is_no_point_of_its_own():
    first, *others = series([100.0] * 8)
    longer = msgspec.structs.replace(others[0], extends=[Extended(id=first.id, created=first.created)])
    (line,) = history([first, longer, *others[1:]])
    assert len(line.points) == 7


def test_noise_is_no_change():
    (line,) = history(series([100.0] * 14))
    assert line.changes == ()


def test_a_change_that_nobody_need_hear_of_is_none():
    (line,) = history(series([100.0] * 8 + [99.0] * 8))
    assert line.changes == ()


def test_machines_and_unusable_trials_are_kept_apart():
    records = series([100.0] * 3)
    other = fake.record("other", [fake.Script(fake.train(), 50.0)], on=fake.machine("b"))
    broken = fake.record("broken", [fake.Script(fake.train(), 50.0, checks=fake.FAILED)], created="2027-01-01T00:00:00Z")
    lines = history([*records, other, broken])
    assert sorted(len(line.points) for line in lines) == [1, 3]
    assert history([]) == []
