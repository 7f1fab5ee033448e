"""One trial of a case is checked on many images, and nobody can know which before it has been timed."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path

import msgspec
import pytest

from bench.record.schema import Check, Trial
from bench.run import rounds
from bench.run.journal import Done, Journal
from bench.run.rounds import brief
from tests.support import records as fake

LIKE = next(trial for trial in fake.record().trials if trial.role == "trial")
WRONG = [Check(name="witness loss", passed=False)]


def after(folder: Path, *trials: Trial) -> Journal:
    journal = Journal(folder)
    journal.entries += [Done(trial=msgspec.structs.replace(trial, case=0, number=at)) for at, trial in enumerate(trials)]
    return journal


def checked_on_many(folder: Path, trials: int) -> list[int]:
    """Numbers of the trials that are, in a run of so many."""
    made: list[Trial] = []
    for number in range(trials):
        made.append(msgspec.structs.replace(LIKE, brief=brief(after(folder, *made), 0, number, trials)))
    return [number for number, trial in enumerate(made) if not trial.brief]


def test_each_trial_is_as_likely_and_one_there_is(tmp_path, monkeypatch):
    """All equally likely draws are made once: one of three, then one of the two that are left."""
    found = []
    for drawn in product(range(3), range(2)):
        draws = dict(zip((3, 2), drawn, strict=True))  # of the last one there is nothing to draw
        monkeypatch.setattr(rounds.secrets, "randbelow", lambda below, draws=draws: draws.get(below, 0))
        found.append(checked_on_many(tmp_path, 3))
    assert all(len(numbers) == 1 for numbers in found)
    assert Counter(numbers[0] for numbers in found) == {0: 2, 1: 2, 2: 2}


@pytest.mark.parametrize("change", [{"status": "failed"}, {"status": "disturbed"}])
def test_what_came_to_nothing_is_made_up_for(tmp_path, change):
    lost = msgspec.structs.replace(LIKE, **change)
    assert not brief(after(tmp_path, msgspec.structs.replace(LIKE, brief=True), lost), 0, 2, 3)
    assert not brief(after(tmp_path, msgspec.structs.replace(LIKE, brief=True)), 0, 7, 3)  # a round beyond the planned ones
    assert brief(after(tmp_path, LIKE), 0, 2, 3)
    assert brief(after(tmp_path, msgspec.structs.replace(LIKE, checks=WRONG)), 0, 2, 3)  # no other can make that good
    assert not brief(after(tmp_path), 0, 0, 1)
