"""Records of schema version 1 read, report and compare exactly as the same records do today."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.analysis.build import build
from bench.comparison.compare import compare
from bench.comparison.document import as_json
from bench.errors import RecordError
from bench.record.files import decode_record, read_record, sealed
from bench.record.schema import Place, Rank, Record
from bench.report.formats import BUILT_IN, render
from tests.support import records as fake

PUBLISHED = sorted((Path(__file__).parents[2] / "results").rglob("record.json"))


def as_version1(record: Record, **changes: Any) -> bytes:
    """The record as release 0.1 sealed it."""
    old = msgspec.to_builtins(record) | {"version": 1}
    old["machine"] = old.pop("machines")[""]
    for case in old["cases"]:
        places = case.pop("places")
        case |= {"devices": [places[0]["device"]], "threads": places[0]["cores"], "processes": len(places)}
    for trial in old["trials"]:
        (rank,) = trial.pop("ranks")
        trial |= rank
    body = json.dumps(old | changes).encode()
    digest = hashlib.sha256(body).hexdigest()
    return b'{"format":"accelbench record","version":1,"sha256":"%s","record":%s}\n' % (digest.encode(), body)


def everything() -> list[Record]:
    """Two machines, every scenario, energy, a failed and an unproven trial."""
    joules = {"package-0": {"joules": 900.0, "seconds": 12.0, "idle_watts": 20.0}}
    target = {"epochs": 9, "targets": {"auc": 0.8}}
    curve = [{"epoch": 1, "steps": 30, "seconds": 8.0, "loss": 0.4, "measures": {"auc": 0.85}}]
    extra = [
        fake.Script(fake.train(scenario="from-files"), 70.0, change={"energy": joules, "disturbances": ["it was hot"]}),
        fake.Script(fake.train(scenario="to-quality", **target), 1.0, change={"curve": curve, "test": {"auc": 0.8}}),
        fake.Script(fake.train(precision="tf32"), 90.0, checks=fake.FAILED),
        fake.Script(fake.infer(precision="tf32"), 90.0, status="crashed", reason="it fell", change={"log_tail": "oh"}),
    ]
    first = fake.record("r0", [*fake.scripts(), *extra])
    second = fake.record("r1", on=fake.machine("b", gpus=[], cores=8), seed=3, labels={"rack": "7"})
    return [msgspec.json.decode(msgspec.json.encode(record), type=Record) for record in (first, second)]


def test_an_old_record_reads_as_the_same_record_of_today():
    for record in everything():
        assert decode_record(as_version1(record), "old") == record


def test_old_records_report_and_compare_as_today():
    new = everything()
    old = [decode_record(as_version1(record), "old") for record in new]
    for reporter in BUILT_IN:
        some = slice(0, 1) if reporter.name == "pytest-benchmark" else slice(None)
        assert render(build(old[some]), reporter.name) == render(build(new[some]), reporter.name)
    assert as_json(compare(old[:1], old[1:])) == as_json(compare(new[:1], new[1:]))


def test_several_processes_and_nameless_devices_read_as_places():
    old = json.loads(as_version1(fake.record(wanted=[fake.Script(fake.train(), 75.0)])))["record"]["cases"]
    for changes, places in (
        ({"processes": 3}, (Place("cpu", 2),) * 3),
        ({"devices": ["a", "b"]}, (Place("a", 2), Place("b", 2))),
        ({"devices": []}, (Place("", 2),)),
    ):
        record = decode_record(as_version1(fake.record(), cases=[{**old[0], **changes}], trials=[]), "old")
        assert record.cases[0].places == places
    assert record.cases[0].devices == ()


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_published_records_are_sealed_again_without_a_change(path: Path):
    record = read_record(path)
    assert record.machine.fingerprint
    assert all(len(trial.ranks) == 1 for trial in record.trials)
    again = decode_record(sealed(record), "again")
    assert again == record
    assert render(build([again]), "json") == render(build([record]), "json")


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        ({"version": 2}, "says version 1 outside and 2 inside"),
        ({"machine": None}, "breaks the record schema"),
        ({"cases": [{"backend": "cpu"}]}, "breaks the record schema"),
    ],
)
def test_an_old_record_that_is_wrong_is_refused(changes: dict[str, Any], trouble: str):
    with pytest.raises(RecordError, match=trouble):
        decode_record(as_version1(fake.record(), **changes), "old")


def test_a_record_names_the_machine_of_every_place():
    case = fake.train(places=(Place("cpu", 2, "elsewhere"),))
    with pytest.raises(ValueError, match="'elsewhere' is not among the machines"):
        fake.record(wanted=[fake.Script(case, 75.0)])
    assert fake.record(wanted=[fake.Script(case, 75.0)], machines={"": fake.machine(), "elsewhere": fake.machine("b")})
    with pytest.raises(ValueError, match="without a place"):
        fake.train(places=())
    assert Rank().samples == []
