"""A trial that fails by the clock alone while others use the machine is made again, and spoils nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.errors import ExitCode
from bench.machine.other_work import OtherWork, family_seconds
from bench.record.figures import standing
from bench.record.schema import Check
from bench.run.journal import MOST_TRIES, Done, Journal
from bench.run.process import Outcome
from bench.run.results import verdict
from bench.run.trial import trial_of
from bench.worker.answers import RankResult
from tests.support.records import record as example_record

CLOCK = Check(name="ordinary batches take as long", clock=True, passed=False, found=1.6, allowed=1.3)
VALUE = Check(name="witness loss", passed=False)


def outcome(*checks: Check, others: float) -> Outcome:
    answer = RankResult(stages={}, checks=[Check(name="first losses", passed=True), *checks])
    return Outcome("ok", "2026-01-01T00:00:00+00:00", 1.0, msgspec.json.encode(answer), others=others)


@pytest.mark.parametrize(
    ("checks", "others", "status", "counts"),
    [
        ((CLOCK,), 1.2, "disturbed", "failed"),
        ((CLOCK,), 0.1, "ok", "refuted"),  # the machine was quiet
        ((CLOCK, VALUE), 1.2, "ok", "refuted"),  # no disturbance makes a loss wrong
        ((), 1.2, "ok", "proven"),
    ],
)
def test_what_a_disturbance_excuses(checks: tuple[Check, ...], others: float, status: str, counts: str):
    trial, _ = trial_of([outcome(*checks, others=others)], 0, 0, "trial", 0)
    assert trial.status == status
    assert standing(trial) == counts
    assert ("other processes used 1.2 cores" in trial.reason) is (status == "disturbed")


def test_a_disturbed_trial_is_made_again_so_often(tmp_path: Path):
    journal = Journal(tmp_path)
    disturbed, _ = trial_of([outcome(CLOCK, others=1.0)], 0, 0, "trial", 0)
    for _ in range(MOST_TRIES):
        assert not journal.has_trial(0, 0)
        journal.entries.append(Done(trial=disturbed))
    assert journal.has_trial(0, 0)


def test_a_trial_that_was_made_again_leaves_the_run_whole():
    record = example_record()
    first = next(trial for trial in record.trials if trial.role == "trial")
    disturbed = msgspec.structs.replace(first, status="disturbed", checks=[CLOCK], order=len(record.trials))
    again = msgspec.structs.replace(record, trials=[*record.trials, disturbed])
    assert verdict(again) == verdict(record)
    only = msgspec.structs.replace(record, trials=[disturbed])
    assert verdict(only) is ExitCode.SOME_FAILED


def test_a_process_of_the_family_is_no_other():
    watch = OtherWork(own=family_seconds)
    assert family_seconds() > 0
    assert watch.cores() >= 0
