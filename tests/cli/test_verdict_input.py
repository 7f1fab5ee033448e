"""What people and files may bring to compare, check and history: one sentence, the right exit code, never a verdict."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.cli import check
from bench.errors import NotComparableError
from bench.record.files import write_record
from bench.statistics.pairs import LOOKS
from tests.support import records as fake
from tests.support.site import bench


def put(folder: Path, name: str, **changes: Any) -> Path:
    """A run's folder with a record in it."""
    place = folder / name
    place.mkdir(parents=True)
    script = fake.Script(fake.train(), changes.pop("rate", 100.0), trials=6, between=0.001)
    write_record(fake.record(changes.pop("id", name), [script], **{"labels": {}} | changes), place / "record.json")
    return place


def refused(folder: Path, *words: str) -> str:
    done = bench(words, folder)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


def test_labels_that_a_check_sets_are_nobody_elses(tmp_path):
    for label in ("check=nightly", "arm=base", "level.0=0.5", "pass-level.0=0.5"):
        assert "set by bench check alone" in refused(tmp_path, "run", "--dry-run", "--label", label)
    one, two = (put(tmp_path, name, labels={"check": "nightly"}, seed=seed) for seed, name in enumerate("ab"))
    assert "3 pairs" not in bench(["compare", str(one), str(two)], tmp_path).stdout


@pytest.mark.parametrize("level", ["abc", "0.99", "-1", "nan", "inf", "0"])
def test_an_error_level_that_no_check_writes_is_refused(tmp_path, level):
    two = put(tmp_path, "b", seed=1)
    for number, labels in enumerate(({"level.0": level}, {"level.0": "0.01", "pass-level.0": level})):
        one = put(tmp_path, f"a{number}", labels=labels)
        assert "error level" in refused(tmp_path, "compare", str(one), str(two))


def test_copies_of_a_record_are_one_session_and_no_news_of_themselves(tmp_path):
    for number in range(6):
        put(tmp_path / "copies", str(number), id="same")
    put(tmp_path, "slow", rate=90.0, seed=5)
    done = bench(["compare", "copies", "slow"], tmp_path)
    assert done.returncode == 3, done.stdout
    assert "holds 1 session;" in " ".join(done.stdout.split())
    assert " 1 record" in bench(["history", "copies"], tmp_path).stdout
    itself = bench(["compare", "copies", "copies/0"], tmp_path)
    assert itself.returncode == 4
    assert "on both sides" in itself.stderr


def test_devices_and_links_stay_what_they_are(tmp_path):
    put(tmp_path, "a"), put(tmp_path, "b", seed=1)
    bench(["compare", "a", "b", "-o", "/dev/null"], tmp_path)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    bench(["compare", "a", "b", "-o", "link"], tmp_path)
    assert (tmp_path / "link").is_symlink()
    assert "train" in (tmp_path / "target").read_text()


def test_a_pipe_and_an_empty_name_are_no_records(tmp_path):
    put(tmp_path, "a")
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in refused(tmp_path, "compare", "pipe", "a")
    assert "no record at an empty name" in refused(tmp_path, "compare", "", "a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_not_left_out(tmp_path):
    put(tmp_path / "all", "a"), put(tmp_path / "all", "b", seed=1)
    (tmp_path / "all" / "a").chmod(0)
    assert "cannot look for records" in refused(tmp_path, "history", "all")
    (tmp_path / "all" / "a").chmod(0o700)


def test_a_name_that_is_no_text_does_not_break_json(tmp_path):
    put(tmp_path, "a")
    put(tmp_path, os.fsdecode(b"b\xff"), id="b", seed=1)
    assert bench(["compare", "a", os.fsdecode(b"b\xff"), "--format", "json"], tmp_path).returncode == 3


def test_the_last_record_alone_tells_no_lasting_change(tmp_path):
    assert "takes two records" in refused(tmp_path, "history", ".", "--last", "1")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pairs", str(LOOKS[0] - 1)], "too little for the smallest look"),
        (["--budget", "9" * 400], "is not a time to spend"),
        (["--budget", "25h"], "is not a time to spend"),
        (["--junit", "nowhere/check.xml"], "its folder is not there"),
        (["--json", "."], "it is a folder"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_measured(tmp_path, words, sentence):
    assert sentence in refused(tmp_path, "check", "--against", sys.executable, *words)
    assert not (tmp_path / "bench-results").exists()
    assert bench(["check", "--against", sys.executable, *words, "--bisect"], tmp_path).returncode == 128


@pytest.mark.process
def test_an_interpreter_that_is_none_is_named(tmp_path):
    program = tmp_path / "garbage"
    program.write_bytes(b"\0\1\2")
    program.chmod(0o755)
    assert "cannot be run as a Python interpreter" in refused(tmp_path, "check", "--against", str(program))


def test_wrong_use_is_no_bad_commit(tmp_path):
    assert bench(["check", "--bisect", "--pairs", "many"], tmp_path).returncode == 128
    assert bench(["check", "--bisect", "--vary", "nothing", "--baseline", "x"], tmp_path).returncode == 128


def test_a_baseline_of_checks_alone_is_refused(tmp_path):
    put(tmp_path, "a", labels={"check": "c1", "arm": "base"})
    assert "records of checks only" in refused(tmp_path, "check", "--baseline", "a", "--backend", "cpu")


def planned(machine, case=None):
    """As much of a plan as decides which stored records a run can be held against."""
    case = case or fake.train(environment={"OMP_NUM_THREADS": "2"})
    return SimpleNamespace(
        machine=machine, machines={"": machine}, devices=[fake.CPU], cases=[SimpleNamespace(case=case, candidates=())]
    )


def test_a_folder_of_many_machines_is_a_baseline_of_this_one(capsys):
    here, there = fake.machine(), fake.machine("b", cpu="AMD EPYC")
    records = [
        fake.record(name, [fake.Script(fake.train(), 75.0)], on=on)
        for name, on in (("r0", here), ("r1", there), ("r2", here))
    ]
    values = {"baseline": "results", "vary": (), "quiet": False}
    assert [record.id for record in check._of_this_machine(records, planned(here), values)] == [records[0].id, records[2].id]
    assert capsys.readouterr().err == "bench: 1 record of other machines left out\n"


def test_a_baseline_that_no_run_here_could_be_held_against_is_refused_before_measuring():
    here, there = fake.machine(), fake.machine("b", cpu="AMD EPYC")
    records = [fake.record("r0", [fake.Script(fake.train(), 75.0)], on=there)]
    values = {"baseline": "results", "vary": (), "quiet": True}
    with pytest.raises(
        NotComparableError, match=r"none of the 1 record at results is of this machine .fingerprint afffffff, there bfffffff"
    ):
        check._of_this_machine(records, planned(here), values)
    with pytest.raises(NotComparableError, match="nothing to compare: size differs"):
        check._of_this_machine(records, planned(there, fake.train(facts=fake.TINY)), values)
    assert check._of_this_machine(records, planned(here), values | {"vary": ("device",)}) == records
