"""The rate of false alarms, from the files that checks of unchanged code have written."""

from __future__ import annotations

import json
import os

import pytest

from bench.comparison.alarms import count_alarms
from bench.errors import RecordError
from bench.statistics.proportions import upper_limit
from tests.support.site import bench


def write(place, verdict, cases=1, **changes):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"format": "accelbench comparison", "verdict": verdict, "cases": [{}] * cases} | changes))


@pytest.fixture
def checks(tmp_path):
    for number, verdict in enumerate(["pass", "pass", "inconclusive", "regressed", "pass", None]):
        write(tmp_path / "checks" / str(number) / "check.json", verdict, cases=2)
    (tmp_path / "checks" / "0" / "record.json").write_text('{"format": "accelbench record"}')
    (tmp_path / "checks" / "0" / "list.json").write_text("[]")
    os.mkfifo(tmp_path / "checks" / "0" / "pipe.json")
    return tmp_path / "checks"


def test_checks_are_counted_by_their_verdicts(checks):
    found = count_alarms([checks])
    assert (found.checks, found.cases) == (6, 12)
    counts = {verdict: share.checks for verdict, share in found.verdicts.items()}
    assert counts == {"improved": 0, "pass": 3, "regressed": 1, "inconclusive": 1, "not comparable": 1}
    assert found.verdicts["regressed"].fraction == pytest.approx(1 / 6)
    assert found.verdicts["regressed"].at_most == upper_limit(1, 6)


def test_every_format_holds_the_counts(checks, tmp_path):
    for style, words in (("text", "regressed"), ("markdown", "| regressed"), ("json", '"regressed"')):
        done = bench(["alarm-rate", str(checks), "--format", style], tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert words in done.stdout
    assert json.loads(done.stdout)["verdicts"]["pass"]["checks"] == 3


def test_files_that_are_no_checks_are_one_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "half.json").write_text('{"format": "accelb')
    write(tmp_path / "new.json", "wonderful")
    write(tmp_path / "list.json", [])
    (tmp_path / "less.json").write_text('{"format": "accelbench comparison", "cases": []}')
    (tmp_path / "bytes.json").write_bytes(
        b'{"format": "accelbench comparison", "verdict": null, "cases": [{"label": "\xff"}]}'
    )
    os.mkfifo(tmp_path / "pipe.json")
    for name, words in (
        ("nowhere", "there is nothing at"), ("empty", "there is no check under"), ("half.json", "is no JSON"),
        ("new.json", "no comparison that this release knows: Invalid enum value 'wonderful'"),
        ("list.json", "no comparison that this release knows: Expected `str"),
        ("less.json", "no comparison that this release knows: Object missing required field `verdict`"),
        ("bytes.json", "bytes.json is no"), ("pipe.json", "pipe.json is no file"),
    ):  # fmt: skip
        with pytest.raises(RecordError, match=words):
            count_alarms([tmp_path / name])
    done = bench(["alarm-rate", "nowhere"], tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("bench: there is nothing at nowhere; expected ")
