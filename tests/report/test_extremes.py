"""Numbers that no machine gives, in records and in what is asked: left out or refused, and no format breaks on them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.analysis.build import build
from bench.errors import RecordError
from bench.record.figures import samples
from bench.record.files import NAME, decode_record, sealed, write_record
from bench.record.schema import Energy, Forecast, Record
from bench.report.charts.pictures import charts, picture
from bench.report.formats import render
from tests.cli.test_results import run
from tests.support import records as fake

FORMATS = ("terminal", "markdown", "html", "csv", "json")
replace = msgspec.structs.replace


def trials(record: Record, **changes: Any) -> Record:
    return replace(record, trials=[fake.changed(trial, **changes) for trial in record.trials])


EXTREMES: dict[str, Callable[[Record], Record]] = {
    "a forecast of ages": lambda record: replace(
        record, forecasts=[Forecast(case=0, epochs=1, predicted=1e308, measured=1.0)]
    ),
    "a forecast of nothing": lambda record: replace(
        record, forecasts=[Forecast(case=0, epochs=1, predicted=1.0, measured=1e-308)]
    ),
    "a sun": lambda record: trials(record, energy={"package-0": Energy(joules=1e308, seconds=1.0)}),
    "an idle sun": lambda record: trials(record, energy={"package-0": Energy(joules=1.0, seconds=1.0, idle_watts=1e308)}),
    "no ceiling at all": lambda record: replace(record, ceilings=[replace(one, rate=1e-308) for one in record.ceilings]),
    "an endless warm-up": lambda record: replace(
        record, trials=[fake.changed(trial, samples=[1e308, *samples(trial)[1:]], warmup=1) for trial in record.trials]
    ),
    "no time at all": lambda record: replace(
        record,
        trials=[fake.changed(trial, samples=[second * 1e-14 for second in samples(trial)]) for trial in record.trials],
    ),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_no_format_breaks_on_extreme_numbers(name):
    other = fake.record("r1", on=fake.machine("b"))
    report = build([EXTREMES[name](fake.record()), other])
    assert report.impossible
    for format_name in FORMATS:
        assert not re.search(
            r"\b(nan|inf|Infinity|NaN)\b", re.sub(r"<script.*?</script>", "", render(report, format_name), flags=re.S)
        )
    for chart in charts(report):
        picture(chart, "svg")


@pytest.mark.parametrize("value", [10**400, 2**63, -(2**63) - 1])
def test_numbers_beyond_every_language_break_the_schema(value):
    record = fake.record()
    content = sealed(replace(record, machines={"": replace(record.machine, memory=value)}))
    with pytest.raises(RecordError, match="record"):
        decode_record(content, "here")


def test_text_that_is_none_is_one_sentence(tmp_path):
    import hashlib

    body = msgspec.json.encode(fake.record()).replace(b"JAX is not", b"JAX \xff not")
    digest = hashlib.sha256(body).hexdigest().encode()
    with pytest.raises(RecordError, match="here "):
        decode_record(b'{"format":"accelbench record","version":1,"sha256":"%s","record":%s}' % (digest, body), "here")


def test_two_records_with_one_identifier_are_told_apart():
    with pytest.raises(RecordError, match="two different records have the identifier r0"):
        build([fake.record(), replace(fake.record(), seed=9)])
    assert build([fake.record(), fake.record()]).notes == ("Given twice and counted once: 1 record.",)


# ---- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    write_record(fake.record(), tmp_path / "run" / NAME)
    return tmp_path


@pytest.mark.parametrize(
    "options",
    [
        ["--megapixels", "1e-310"], ["--retrain-days", "1e-306"], ["--budget-hours", "1e-300"], ["--devices", "2", "--efficiency", "1e-310"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("format_name", ["json", "html"])
def test_assumptions_next_to_nothing_are_refused(folder, capsys, options, format_name):
    code, out, err = run(capsys, "report", folder, "--format", format_name, *options)
    assert (code, out) == (2, "")
    assert "expected 0.000001 to" in err


def test_a_report_never_takes_the_place_of_a_run(folder, capsys):
    record = folder / "run" / NAME
    before = record.read_bytes()
    code, _, err = run(capsys, "report", folder, "-o", record)
    assert code == 2
    assert "never overwritten" in err
    (folder / "run" / "plan.json").write_text("{}")
    assert run(capsys, "report", folder, "-o", folder / "run" / "plan.json")[0] == 2
    assert record.read_bytes() == before


def test_a_report_goes_through_a_pipe(folder, capsys):
    assert run(capsys, "report", folder, "--format", "csv", "-o", "/dev/null")[0] == 0
    code, _, err = run(capsys, "report", folder, "--format", "csv", "-o", "/dev/full")
    assert (code, err) == (2, "bench: cannot write /dev/full: No space left on device\n")
    code, _, err = run(capsys, "report", folder, "--format", "markdown", "--pictures", "-o", "/dev/null")
    assert code == 2
    assert "no place beside it" in err


def strange_prices(folder: Path) -> dict[str, str]:
    entry = '[[price]]\ndevice = "cpu"\ncurrency = "EUR"\ndate = 2026-01-31\nsource = "x"\nper_hour = '
    texts = {
        "digits": entry + "9" * 400,
        "more digits": entry + "9" * 5000,
        "depth": "x=" + "[" * 100_000,
        "size": "#" * 300_000,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return texts


@pytest.mark.parametrize("name", ["digits", "more digits", "depth", "size", "/dev/zero"])
def test_strange_files_of_prices_are_one_sentence(folder, capsys, name):
    strange_prices(folder)
    code, out, err = run(capsys, "report", folder / "run", "--prices", folder / name)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("address", ["s3://", "memory://", "S3:///"])
def test_an_address_without_a_place_is_no_folder(folder, capsys, monkeypatch, address):
    monkeypatch.chdir(folder)
    code, _, err = run(capsys, "results", "copy", "run", "--to", address)
    assert code == 2
    assert "ends where its bucket or folder should be named" in err
    assert sorted(path.name for path in folder.iterdir()) == ["run"]


def test_a_stores_own_words_repeat_no_password(capsys):
    code, _, err = run(capsys, "report", "http://jane:geheim@127.0.0.1:1/x")
    assert code == 2
    assert "geheim" not in err


def test_prune_looks_into_what_it_deletes(folder, capsys):
    for name, month in (("old", 1), ("new", 3)):
        (folder / name / "logs" / "inner").mkdir(parents=True)
        write_record(fake.record(name, created=f"2026-0{month}-05T10:00:00Z"), folder / name / NAME)
    write_record(fake.record("inner", created="2026-02-05T10:00:00Z"), folder / "old" / "logs" / "inner" / NAME)
    code, out, _ = run(capsys, "results", "prune", folder / "old", folder / "new", "--keep", "1", "--yes")
    assert code == 0
    assert "left:" in out
    assert (folder / "old" / "logs" / "inner" / NAME).exists()


def test_json_for_other_tools_is_ascii(folder, capsys):
    write_record(fake.record(labels={"n": "\u202e\x9b"}), folder / "run" / NAME)
    code, out, _ = run(capsys, "results", "list", folder, "--format", "json")
    assert code == 0
    assert out.isascii()
    assert json.loads(out)[0]["labels"] == {"n": "\u202e\x9b"}
