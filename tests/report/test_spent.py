"""Where a run's time went."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bench.record.figures import steady_samples
from bench.record.schema import Extended
from bench.report.spent import PROOF, REST, TIMED, spent_section, time_spent
from tests.support.records import record


def test_every_second_of_a_run_is_for_something():
    made = replace(record(), created="2026-11-28T10:00:00+00:00", finished="2026-11-28T11:00:00+00:00")
    trials = [
        replace(trial, ranks=[replace(trial.ranks[0], stages={"import": 1.0, "steady": 300.0, "check": 2.0})], wall=310.0)
        for trial in made.trials
    ]
    made = replace(made, trials=trials)
    spent = time_spent(made)
    counted = [trial for trial in trials if trial.role == "trial"]
    timed = sum(sum(steady_samples(trial)) for trial in counted)
    assert spent[TIMED] == pytest.approx(timed)
    assert spent["warm-up"] == pytest.approx(sum(max(300.0 - sum(steady_samples(trial)), 0.0) for trial in counted))
    assert spent[PROOF] == pytest.approx(2.0 * len(counted))
    assert spent["processes"] == pytest.approx(7.0 * len(counted))
    assert spent.get("pilots", 0.0) == pytest.approx(310.0 * (len(trials) - len(counted)))
    assert spent[REST] == pytest.approx(max(3600.0 - sum(value for name, value in spent.items() if name != REST), 0.0))
    assert list(spent.values()) == sorted(spent.values(), reverse=True)


def test_trials_of_an_extended_record_count_nowhere():
    made = replace(record(), finished="2026-11-28T11:00:00+00:00", extends=[Extended(id="before", created=record().created)])
    later = [t for t in made.trials if t.started >= "2026-11-28"]
    assert not later, "all of its trials were made before"
    assert time_spent(replace(made, created="2026-11-28T10:00:00+00:00")) == {REST: 3600.0}


def test_the_table_says_how_long_the_run_took_and_for_how_many_trials():
    made = replace(record(), created="2026-11-28T10:00:00+00:00", finished="2026-11-28T11:00:00+00:00")
    section = spent_section(made)
    trials = sum(trial.role == "trial" for trial in made.trials)
    assert f"for {trials} trials of {len(made.cases)} cases" in section.lines[0]
    assert section.table is not None
    assert section.table.rows[0][2].endswith("%")
