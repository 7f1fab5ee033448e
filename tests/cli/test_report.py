"""``bench report`` from the command line: what it prints, what it refuses, and how fast its help is."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.cli import COMMANDS, main
from bench.cli import report as cli
from bench.record.files import NAME, write_record
from bench.report.formats import BUILT_IN
from bench.text.formats import FORMATS
from tests.support import records as fake


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A working folder whose ``bench-results`` holds two runs of one machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    for name in ("one", "two"):
        folder = tmp_path / "bench-results" / name
        folder.mkdir(parents=True)
        write_record(fake.record(name, seed=len(name)), folder / NAME)
    return tmp_path / "bench-results"


def run(capsys, *arguments):
    """Exit code, standard output and standard error of ``bench report``."""
    with pytest.raises(SystemExit) as left:
        main(["report", *map(str, arguments)])
    streams = capsys.readouterr()
    return int(left.value.code or 0), streams.out, streams.err


def refused(capsys, *arguments, code=2):
    """The one sentence with which ``bench report`` refuses."""
    found, out, err = run(capsys, *arguments)
    assert found == code
    assert out == ""
    lines = err.strip().splitlines()
    assert lines[-1].startswith("bench: ")
    return lines[-1]


def test_without_arguments_it_reports_what_is_in_bench_results(results, capsys):
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    assert "Days versus hours: melanoma small, HAM10000" in out
    assert "2 records" in out


def test_a_file_a_run_and_a_folder_of_runs(results, capsys):
    for place in (results / "one" / NAME, results / "one", results):
        assert run(capsys, place)[0] == 0


@pytest.mark.parametrize(("suffix", "start"), [(".md", "### Days"), (".csv", "cpu,"), (".json", "{"), (".txt", "Days")])
def test_the_suffix_of_the_output_decides_the_format(results, capsys, tmp_path, suffix, start):
    output = tmp_path / f"report{suffix}"
    assert run(capsys, "-o", output) == (0, "", "")
    assert output.read_text(encoding="utf-8").startswith(start)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_the_format_can_be_said(results, capsys):
    code, out, _ = run(capsys, "--format", "json", "--epochs", "3", "--tuning-runs", "9", "--images", "500")
    data = json.loads(out)
    assert code == 0
    assert data["assumptions"]["epochs"] == 3
    assert data["assumptions"]["tuning_runs"] == 9
    assert data["assumptions"]["dataset"]["images"] == 500


def test_every_format_on_offer_is_built_in():
    assert [name for name in FORMATS if name not in cli.PICTURES] == [reporter.name for reporter in BUILT_IN]


@pytest.mark.process
def test_a_terminal_that_knows_only_ascii_gets_its_report(results):
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "110"}
    command = [sys.executable, "-c", "from bench.cli import main; main()", "report"]
    done = subprocess.run(command, cwd=results.parent, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Days versus hours" in done.stdout


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], ["no record at nowhere", "bench run"]),
        (["--dataset", "ham1000"], ["unknown data set", "did you mean 'ham10000'"]),
        (["--images", "0"], ["0 images"]),
        (["--megapixels", "nan"], ["nan megapixels"]),
        (["--megapixels", "-1"], ["-1.0 megapixels"]),
        (["--epochs", "0"], ["0 epochs"]),
        (["--tuning-runs", "0"], ["0 tuning runs"]),
        (["--budget-hours", "inf"], ["inf hours"]),
        (["--reference", "tpu"], ["'tpu'", "there is: cpu, cuda:0"]),
        (["--workload", "cats"], ["no 'cats'", "melanoma small"]),
        (["--size", "huge"], ["no 'huge'", "melanoma small"]),
        (["-o", "no/such/folder/report.md"], ["cannot write", "its folder is not there"]),
    ],
)
def test_wrong_use_is_one_sentence(results, capsys, arguments, words):
    sentence = refused(capsys, *arguments)
    assert all(word in sentence for word in words)
    assert "Traceback" not in sentence


def test_no_results_yet(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "measure first with: bench run" in refused(capsys)
    (tmp_path / "bench-results").mkdir()
    assert "no record at bench-results" in refused(capsys)


def test_nothing_measured_is_not_comparable(results, capsys):
    failing = [replace(script, status="crashed", reason="driver too old") for script in fake.scripts()]
    write_record(fake.record("f", failing), results / "one" / NAME)
    assert "driver too old" in refused(capsys, results / "one", code=4)


def broken(results, how):
    file = results / "two" / NAME
    content = file.read_bytes()
    if how == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif how == "edited":
        file.write_bytes(content.replace(b'"seed":7', b'"seed":8'))
    elif how == "future":
        file.write_bytes(content.replace(b'"version":2', b'"version":9', 1))
    elif how == "contradicting":
        record = fake.record("two")
        record.trials[0] = fake.record("two", fake.scripts() * 2).trials[-1]
        write_record(record, file)
    else:
        file.unlink()
        (results / "two" / "journal.jsonl").touch()


BROKEN = {
    "truncated": "truncated",
    "edited": "edited or damaged",
    "future": "record version 9",
    "contradicting": "has a trial of case",
    "unfinished": "bench run --resume",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_record_that_was_named_is_refused(results, capsys, how):
    broken(results, how)
    assert BROKEN[how] in refused(capsys, results / "one", results / "two")


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_record_in_a_folder_is_left_out_with_a_warning(results, capsys, how):
    broken(results, how)
    code, out, err = run(capsys, results)
    assert code == 0
    assert "record one of" in out
    assert err.count("\n") == 1
    assert err.startswith("bench: left out: ")
    assert BROKEN[how] in err


def test_nothing_but_broken_records(results, capsys):
    for name in ("one", "two"):
        (results / name / NAME).write_text("{")
    assert "no record under" in refused(capsys, results)


# ---- help ----------------------------------------------------------------------------------------------------------


def test_the_first_sentence_is_the_line_in_the_table():
    assert cli.command.help.strip().splitlines()[0] == COMMANDS["report"][1]


@pytest.mark.process
def test_help_imports_nothing_slow(results):
    code = (
        "import sys\n"
        "from bench.cli import main\n"
        "try:\n"
        "    main(['report', '--help'])\n"
        "except SystemExit:\n"
        "    print([m for m in ('numpy', 'pandas', 'scipy', 'msgspec', 'rich', 'tabulate') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.process
def test_the_report_imports_no_plugin_and_no_worker(results):
    code = (
        "import sys\n"
        "from bench.cli import main\n"
        "try:\n"
        "    main(['report'])\n"
        "except SystemExit:\n"
        "    print([m for m in sys.modules if m.split('.')[0] in ('torch', 'jax', 'backends', 'workloads')\n"
        "           or m.startswith(('bench.worker', 'bench.run.', 'bench.oracle', 'bench.verify')) and m != 'bench.run.limits'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=results.parent, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
