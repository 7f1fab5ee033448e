"""Many records: in folders and in an object store, listed, exported, copied, pruned and redacted."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import msgspec
import pandas
import pytest

from bench.analysis.build import build
from bench.cli import main
from bench.errors import RecordError
from bench.record.figures import disturbances
from bench.record.files import NAME, read_record, sealed, write_record
from bench.record.places import Remote, check_place, place_of, read_place, records_at, write_place
from bench.record.redact import redacted
from bench.record.schema import Finding, Record, Skip
from tests.support import records as fake


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three runs of two machines in ``bench-results``."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "bench-results"
    for name, machine, day, labels in (
        ("one", "a", "2026-01-05", {"node": "n1"}), ("two", "a", "2026-02-05", {"node": "n2"}), ("three", "b", "2026-03-05", {}),
    ):  # fmt: skip
        (place / name).mkdir(parents=True)
        record = fake.record(name, on=fake.machine(machine), created=f"{day}T10:00:00Z", labels=labels, seed=len(name))
        write_record(record, place / name / NAME)
    return place


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments)])
    streams = capsys.readouterr()
    return int(left.value.code or 0), streams.out, streams.err


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["one", "two", "three"]),
        (["--machine", "aff"], ["one", "two"]),
        (["--machine", "platinum"], ["one", "two", "three"]),
        (["--label", "node=n2"], ["two"]),
        (["--since", "2026-02-05"], ["two", "three"]),
        (["--until", "2026-02-05", "--backend", "cuda"], ["one", "two"]),
    ],
)
def test_listing(folder, capsys, options, names):
    code, out, _ = run(capsys, "results", "list", *options, "--format", "json")
    assert code == 0
    assert [line["id"] for line in json.loads(out)] == names
    assert run(capsys, "results", "list", *options)[1].count("\n") == len(names)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--since", "yesterday"], "--since yesterday is no date"),
        (["list", "--label", "node"], "expected NAME=VALUE"),
        (["list", "--backend", "tpu"], "no record is like that"),
        (["list", "nowhere"], "there is no record at nowhere"),
        (["list", ""], "no record at an empty name"),
        (["list", "nothing://x/y"], "cannot reach nothing://x/y"),
        (["export", "-o", "x.xlsx"], "no table is called '.xlsx'"),
        (["export", "-o", "nowhere/x.csv"], "its folder is not there"),
        (["prune", "--keep", "0"], "would leave nothing"),
    ],
)
def test_wrong_use_is_one_sentence(folder, capsys, arguments, words):
    code, _, err = run(capsys, "results", *arguments)
    assert code == 2
    assert words in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("bench: ")


def test_tables(folder, tmp_path, capsys):
    assert run(capsys, "results", "export", "-o", "t.csv")[0] == 0
    assert run(capsys, "results", "export", "-o", "t.sqlite")[0] == 0
    table = pandas.read_csv("t.csv")
    with sqlite3.connect("t.sqlite") as base:
        counts = {
            name: base.execute(f"select count(*) from {name}").fetchone()[0] for name in ("cases", "records", "trials")
        }
        samples = json.loads(base.execute("select samples_seconds from trials where role = 'trial' limit 1").fetchone()[0])
    assert (
        counts["cases"]
        == len(table)
        == len(build([read_record(folder / name) for name in ("one", "two", "three")]).measured)
    )
    assert counts["records"] == 3
    assert counts["trials"] == 3 * len(read_record(folder / "one").trials)
    assert len(samples) == 50


def test_the_tables_of_sqlite_join(tmp_path, capsys, monkeypatch):
    """Each rate is found again from the trials that it is of."""
    monkeypatch.chdir(tmp_path)
    scripts = [*fake.scripts(), fake.Script(fake.train(batch_size=16), 70.0, checks=fake.FAILED)]
    for name in ("one", "two"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        write_record(fake.record(name, scripts, seed=len(name)), tmp_path / "runs" / name / NAME)
    assert run(capsys, "results", "export", "runs", "-o", "t.sqlite")[0] == 0
    query = """
        select cases.batch_size, cases.valid, count(*), count(distinct records.id), group_concat(distinct trials.standing)
        from trials join cases using (case_id) join records on records.id = trials.record
        where trials.role = 'trial' and cases.phase = 'train' and cases.backend = 'cpu' and cases.precision = 'fp32'
        group by case_id order by cases.batch_size
    """
    with sqlite3.connect("t.sqlite") as base:
        assert base.execute(query).fetchall() == [(16, 0, 10, 2, "refuted"), (32, 1, 10, 2, "proven")]
        (orphans,) = base.execute("select count(*) from trials where case_id is null").fetchone()
        (pooled,) = base.execute("select count(*) from (select case_id from trials group by case_id)").fetchone()
        (rows,) = base.execute("select count(*) from cases").fetchone()
    assert (orphans, pooled) == (0, rows)


def test_parquet_holds_what_csv_holds(folder, capsys):
    for suffix in ("csv", "parquet"):
        assert run(capsys, "results", "export", "-o", f"t.{suffix}")[0] == 0
    whole, text = pandas.read_parquet("t.parquet"), pandas.read_csv("t.csv")
    assert list(whole.columns) == list(text.columns)
    rates = [list(table["images_per_second"].dropna()) for table in (whole, text)]
    assert rates[0]
    assert rates[0] == rates[1]
    assert list(whole["batch_size"]) == list(text["batch_size"])
    assert list(whole["valid"]) == list(text["valid"])


def test_parquet_without_pyarrow_names_the_extra(folder, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run(capsys, "results", "export", "-o", "t.parquet")
    assert code == 2
    assert err.endswith("bench: Parquet needs pyarrow: pip install 'accelbench[parquet]', or export .sqlite or .csv\n")
    assert not (folder.parent / "t.parquet").exists()


def test_validation_names_what_is_broken(folder, capsys):
    assert run(capsys, "results", "validate")[0] == 0
    file = folder / "two" / NAME
    file.write_text(file.read_text().replace("melanoma", "melanomb", 1))
    code, out, _ = run(capsys, "results", "validate")
    assert code == 2
    assert "does not match its own SHA-256" in out
    assert out.count("ok: ") == 2


def test_pruning_asks_first(folder, capsys):
    _, out, err = run(capsys, "results", "prune", "--keep", "1")
    assert "would go" in out
    assert "--yes" in err
    assert {run.name for run in folder.iterdir()} == {"one", "two", "three"}
    run(capsys, "results", "prune", "--keep", "1", "--yes")
    assert {run.name for run in folder.iterdir()} == {"two", "three"}


def test_a_folder_that_holds_more_than_a_run_is_never_deleted(folder, capsys):
    (folder / "one" / "thesis.tex").write_text("irreplaceable")
    (folder / "one" / "logs").mkdir()
    _, out, _ = run(capsys, "results", "prune", "--keep", "1", "--yes")
    assert "left: " in out
    assert (folder / "one" / "thesis.tex").exists()
    assert (folder / "one" / NAME).exists()


def test_redacted_copies_keep_every_figure_and_no_secret(folder, capsys):
    secret = fake.record(
        "secret",
        labels={"patient": "Jane", "node": "n1"},
        command=["bench", "run", "--label", "patient=Jane", "--data=/home/jane/x"],
    )
    (folder / "secret").mkdir()
    write_record(secret, folder / "secret" / NAME)
    assert run(capsys, "results", "redact", "bench-results/secret", "--to", "public", "--keep-label", "node")[0] == 0
    text = (folder.parent / "public" / "secret" / NAME).read_text()
    for word in ("Jane", "jane", "host-a", "abc123"):
        assert word not in text
    found = read_record(folder.parent / "public" / "secret")
    assert found.labels == {"node": "n1"}
    assert [case.rate for case in build([found]).measured] == [case.rate for case in build([secret]).measured]


WORD = "jane-of-mercy"


def told(record: Record) -> Record:
    """The record with a word that must not be published in every text that people or their machines put there."""
    replace = msgspec.structs.replace
    finding = Finding(name="load", severity="warning", found=f"{WORD} computes", remedy=f"stop {WORD}")
    machine = replace(
        record.machine, host=WORD, system=f"Linux 6.1.0-{WORD}", findings=[finding],
        facts=record.machine.facts | {"kernel": f"6.1-{WORD}", "ambient": f"OMP_PLACES={WORD} MALLOC_TOP_PAD_=67", "other": WORD},
        gpus=[{"name": "NVIDIA H200", "uuid": WORD, "serial": WORD, "other": WORD}],
    )  # fmt: skip
    trials = [
        fake.changed(trial, reason=WORD, log_tail=WORD, package={"path": WORD, "commit": WORD}, checks=[replace(check, detail=WORD) for check in trial.checks])
        for trial in record.trials
    ]  # fmt: skip
    return replace(
        record, machines={"": machine}, trials=trials, labels={"patient": WORD}, skips=[Skip(what=f"folder {WORD}", reason=WORD)],
        data=[replace(data, description=WORD, synthetic=False) for data in record.data], bench=record.bench | {"commit": WORD},
        cases=[replace(case, options={"owner": WORD, "graphs": "on"}) for case in record.cases],
        command=["bench", "run", "--data", WORD, f"--label=patient={WORD}", f"owner={WORD}", "--backend", "cpu", "--trials", "3", f"-o{WORD}"],
    )  # fmt: skip


def test_redacted_copies_hold_no_text_of_peoples_own():
    found = redacted(told(fake.record()))
    assert WORD not in sealed(found).decode()
    assert found.command == ["bench", "run", "--data", "…", "--label=…", "…", "--backend", "cpu", "--trials", "3", "…"]
    assert found.machine.facts["ambient"].endswith(" MALLOC_TOP_PAD_=67")
    assert found.cases[0].options["graphs"] == "on"


def test_redacted_copies_keep_what_disturbed_a_trial():
    record = fake.record(
        wanted=[fake.Script(fake.train(), 75.0, change={"disturbances": ["1 core was slowed down for heat"]})]
    )
    assert [disturbances(trial) for trial in redacted(record).trials] == [disturbances(trial) for trial in record.trials]


def test_redacted_records_pool_as_they_did_before():
    def records(*waits: str) -> list[Record]:
        return [
            fake.record(f"r{number}", on=fake.machine(facts={"ambient": f"OMP_WAIT_POLICY={wait}"}), seed=number)
            for number, wait in enumerate(waits)
        ]

    for waits in (("apart", "together"), ("apart", "apart")):
        plain = build(records(*waits)).measured
        again = build([redacted(record) for record in records(*waits)]).measured
        assert {case.rate for case in again} == {case.rate for case in plain}


@pytest.mark.parametrize("name", ["..", ".", "../up", "/etc/passwd", ".hidden"])
def test_no_name_of_a_record_leads_out_of_the_folder(tmp_path, name):
    there = write_place(fake.record(name), tmp_path / "pub" / "inner")
    assert isinstance(there, Path)
    assert there.parent.parent == tmp_path / "pub" / "inner"
    assert not there.parent.name.startswith(".")


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_other_file_systems_hold_records_too(folder, capsys, scheme):
    stem = folder.parent / "elsewhere" if scheme == "file" else "/team"
    target = f"{scheme}://{stem}/new place"
    assert run(capsys, "results", "copy", "--to", target)[0] == 0
    code, out, err = run(capsys, "results", "list", target, "--format", "json")
    assert code == 0, err
    found = json.loads(out)
    assert [line["id"] for line in found] == ["one", "two", "three"]
    assert read_place(place_of(found[0]["place"])).id == "one"


def test_a_folder_that_cannot_be_written_is_known_before_measuring(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="is no folder"):
        check_place(tmp_path / "file" / "below")


def test_what_was_half_written_can_be_written_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("bench.record.places.sealed", lambda record: object())
        with pytest.raises(TypeError):
            write_place(fake.record("one"), tmp_path)
    assert not any(found.is_file() for found in tmp_path.rglob("*"))
    assert write_place(fake.record("one"), tmp_path) == tmp_path / "one" / NAME


def test_nothing_to_validate_is_no_success(tmp_path, capsys):
    code, out, err = run(capsys, "results", "validate", tmp_path)
    assert (code, out) == (2, "")
    assert "no record to validate" in err


def test_what_a_broken_record_says_reaches_no_terminal_raw(folder, capsys):
    (folder / "one" / NAME).write_text('{"format":"\\u001b]0;pwned\\u0007","version":1,"sha256":"","record":{}}')
    code, out, _ = run(capsys, "results", "validate", folder)
    assert code == 2
    assert "\x1b" not in out


def test_prune_keeps_the_newest_of_whatever_was_measured(folder, capsys):
    other = fake.record(
        "four", [script for script in fake.scripts() if script.case.phase == "train"], created="2026-04-05T10:00:00Z"
    )
    (folder / "four").mkdir()
    write_record(other, folder / "four" / NAME)
    assert run(capsys, "results", "prune", "--keep", "1", "--yes")[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == ["four", "three", "two"]


def test_a_published_record_is_never_overwritten(folder, capsys):
    assert run(capsys, "results", "copy", "--to", "there")[0] == 0
    assert run(capsys, "results", "copy", "--to", "there")[0] == 0  # the same again
    other = fake.record("one", seed=99)
    write_record(other, folder / "one" / NAME)
    code, _, err = run(capsys, "results", "copy", "--to", "there")
    assert code == 2
    assert "records are never overwritten" in err


# ---- an object store ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store():
    """The address of a bucket on a server of our own."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    import boto3
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_DEFAULT_REGION", "us-east-1"), ("NO_PROXY", "127.0.0.1"),
        ):  # fmt: skip
            patch.setenv(name, value)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1").create_bucket(Bucket="team")
        yield "s3://team/results"
        server.stop()


def test_two_machines_meet_in_an_object_store(store, capsys, tmp_path):
    for name in ("a", "b"):
        write_place(fake.record(f"from-{name}", on=fake.machine(name), labels={"node": name}), place_of(store))
    assert [str(place) for place in records_at(place_of(store))] == [f"{store}/from-{name}/{NAME}" for name in ("a", "b")]
    assert read_place(Remote(f"{store}/from-b")) == fake.record("from-b", on=fake.machine("b"), labels={"node": "b"})
    code, out, err = run(capsys, "report", store, "--format", "json", "--group-by", "node")
    assert (code, err) == (0, "")
    assert len(json.loads(out)["machines"]) == 2
    assert run(capsys, "report", f"{store}/from-a", "-o", str(tmp_path / "page.html"))[0] == 0
    code, out, _ = run(capsys, "results", "list", store, "--label", "node=b")
    assert code == 0
    assert "from-b" in out
    assert run(capsys, "compare", f"{store}/from-a", f"{store}/from-b")[0] in {0, 3, 4}


def test_what_cannot_be_reached_is_one_sentence(store, capsys):
    code, _, err = run(capsys, "report", "s3://nobodys-bucket/x")
    assert code == 2
    assert err.startswith("bench: cannot reach s3://nobodys-bucket/x") or "no record at s3://nobodys-bucket/x" in err
    code, _, err = run(capsys, "run", "--publish", "nothing://x/y", "--quick")
    assert code == 2
    assert "cannot reach nothing://x/y" in err


def test_a_mistyped_bucket_is_named_and_not_made(store, capsys, tmp_path):
    write_record(fake.record("here"), tmp_path / NAME)
    sentence = "there is no bucket 'taem' for s3://taem/results"
    for words in (
        ["results", "copy", str(tmp_path), "--to"],
        ["results", "redact", str(tmp_path), "--to"],
        ["run", "--quick", "--publish"],
    ):
        code, _, err = run(capsys, *words, "s3://taem/results")
        assert (code, sentence in err) == (2, True), err
    import boto3

    buckets = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name="us-east-1").list_buckets()[
        "Buckets"
    ]
    assert [bucket["Name"] for bucket in buckets] == ["team"]
