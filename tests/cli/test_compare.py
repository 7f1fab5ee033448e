"""``bench compare`` and ``bench history`` on record files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.record.files import write_record
from tests.support import records as fake


def save(folder: Path, name: str, rate: float, **changes) -> Path:
    run = folder / name
    run.mkdir(parents=True)
    script = fake.Script(fake.train(), rate, between=0.002)
    write_record(fake.record(name, [script], seed=len(name), **changes), run / "record.json")
    return run


def call(*words: str) -> tuple[int, str]:
    from bench.cli import bench

    done = CliRunner().invoke(bench, list(words))
    return done.exit_code, done.output


def test_two_single_records_are_inconclusive_and_say_why(tmp_path):
    one, two = save(tmp_path, "a", 100.0), save(tmp_path, "bb", 80.0)
    code, text = call("compare", str(one), str(two))
    assert code == 3
    assert "inconclusive" in text
    assert "1 session;" in " ".join(text.split())
    code, text = call("compare", str(one), str(two), "--format", "json")
    assert json.loads(text)["cases"][0]["figures"]["method"] == "trials"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["compare", "nowhere", "nowhere"], "there is no record at nowhere"),
        (["history", "nowhere"], "there is no record at nowhere"),
        (["history", "--last", "-1"], "--last -1 is not possible"),
    ],
)
def test_bad_input_is_one_sentence(words, sentence, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_history_marks_what_changed_and_exits_with_it(tmp_path):
    for number in range(14):
        day = f"2026-01-{number + 1:02d}T10:00:00Z"
        save(tmp_path, f"r{number:02d}", 100.0 if number < 9 else 85.0, created=day)
    code, text = call("history", str(tmp_path))
    assert code == 0
    assert "from record r09 on" in text
    assert "+17" in text or "+18" in text
    assert call("history", str(tmp_path), "--last", "5")[0] == 5
    assert call("history", str(tmp_path), "--last", "4")[0] == 0
    code, text = call("history", str(tmp_path), "--format", "json")
    assert json.loads(text)[0]["changes"][0]["at"] == 9


def test_history_that_cannot_be_judged_is_inconclusive(tmp_path):
    for number in range(9):
        save(tmp_path, f"r{number:02d}", 100.0, created=f"2026-01-{number + 1:02d}T10:00:00Z")
    assert call("history", str(tmp_path))[0] == 0, "nobody asked for a verdict"
    code, text = call("history", str(tmp_path), "--last", "2")
    assert code == 3
    assert "inconclusive" in text
    assert "9 records tell nothing of the last 2" in text
    assert call("history", str(tmp_path), "--last", "2", "--inconclusive", "warn")[0] == 0


def test_doctor_tells_its_findings_without_measuring():
    code, text = call("doctor", "--no-noise", "--format", "json")
    assert code == 0
    assert set(json.loads(text)) == {"findings", "noise"}
