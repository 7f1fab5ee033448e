"""A tenth of the campaign of faults (``tests/proof/faults.py``): nothing is lost, nothing is left, and no exit code is wrong."""

from __future__ import annotations

import random

import pytest

from tests.proof.faults import KINDS, RUN, Campaign, NotHere, Place, chosen
from tests.proof.holding import KEPT, LEFT, WRONG, Ended, finished_in, troubles

pytestmark = pytest.mark.process

SEED = 0

FAULTS = {
    "worker ended": [0, 5],
    "worker stopped": [1],
    "parent killed": [4],
    "signals": [1, 2, 3],
    "streams": [1, 2, 3],
    "out of memory": [2],
    "full disk": [3],
    "read-only folder": [1],
    "slow disk": [0],
    "clock": [0],
    "journal": [1, 2],
    "plan": [1, 2, 3],
    "record": [0, 1, 2],
    "cache": [1],
    "two at once": [1],
    "log lines": [2],
    "words of a plugin": [3],
    "wrong types": [0, 3, 9],
}
"""Numbers of the faults, by kind: more where a command reads a file and starts no worker."""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory) -> Campaign:
    return Campaign(tmp_path_factory.mktemp("campaign"))


@pytest.mark.parametrize(("kind", "number"), [(kind, number) for kind, numbers in FAULTS.items() for number in numbers])
def test_what_must_hold_after_a_fault_holds(campaign, kind, number):
    try:
        assert campaign.inject(kind, number, SEED) == []
    except NotHere as reason:
        pytest.skip(str(reason))


def test_a_harness_that_is_broken_on_purpose_is_found_out(campaign, tmp_path):
    """It loses a trial, leaves a process and a file, prints a traceback and two sentences, and ends with exit code 1."""
    place = Place(tmp_path, campaign.site, random.Random(0))
    place.order(broken=True)
    process = place.start(RUN)
    code, said = process.wait(), (tmp_path / "said").read_text()
    trial = (0, 0, "trial", "2026-01-05T10:00:00Z")
    found = troubles(Ended(tmp_path, code, said, [trial, *finished_in(tmp_path)]), {0, 4})
    assert {kind for kind, _ in found} == {KEPT, LEFT, WRONG}
    words = "\n".join(what for _, what in found)
    for told in (
        "exit code 1, expected",
        "a traceback",
        "lost the trial 0 of case 0",
        "left process",
        "sleep 600",
        "left tmp/accelbench",
    ):
        assert told in words
    assert troubles(Ended(tmp_path, 2, said), {2})[0] == (WRONG, f"a traceback: {said[-300:]!r}")
    assert "2 sentences for exit code 2" in troubles(Ended(tmp_path, 2, said), {2})[1][1]


def test_every_kind_has_its_share():
    assert set(FAULTS) == set(KINDS)
    whole = chosen(360, list(KINDS), 100)
    assert len(whole) == len(set(whole)) == 360
    tenth = chosen(360, list(KINDS), 10)
    assert {kind for kind, _ in tenth} == set(KINDS)
    assert set(tenth) <= set(whole)
    assert len(tenth) == 36
