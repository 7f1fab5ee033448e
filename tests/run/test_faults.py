"""Real processes that really crash, hang, are killed, run out of memory or chatter: each is contained and journalled."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import bench as bench_package
from bench.cli import main
from bench.errors import RecordError
from bench.machine.host import hashed
from bench.record.figures import log_tail
from bench.record.files import read_record
from bench.record.plausible import sentences
from bench.record.schema import Record
from bench.run.folders import salt_of
from bench.run.journal import Journal, entry_of
from bench.run.resumption import resume_run
from bench.run.scratch import PREFIX
from bench.statistics.stopping import is_wide
from tests.support.site import bench, bench_process, environment, install_misbehaving, move_in, start_bench
from tests.support.waiting import PATIENCE, hurry_while_alive, wait_for

# Only this test's plugin runs: describing torch and jax would take seconds in every test.
RUN = [
    "run",
    "--workload",
    "dots",
    "--size",
    "small",
    "--backend",
    "misbehaving",
    "--seconds",
    "0.05",
    "--quiet",
    "--no-ceilings",
]
TRAIN = [*RUN, "--precision", "float64", "--phase", "train"]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has lost a parent")


def the_run(folder: Path) -> Path:
    (run,) = (folder / "bench-results").iterdir()
    return run


def the_record(folder: Path) -> Record:
    return read_record(the_run(folder))


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ("segfault", "crashed", "SIGSEGV"),
        ("abort", "crashed", "SIGABRT"),
        ("sigkill", "killed", "SIGKILL"),
        ("memory", "out of memory", "allocate"),
        ("raise", "failed", "RuntimeError: the kernel launch failed"),
        ("surrogate", "failed", "RuntimeError: half \\ud800 of a pair, and xxxxxx"),
        ("exit", "crashed", "code 7"),
        ("type", "failed", "misbehaving_plugin.Training: device_memory() gave 'plenty', expected a number of bytes"),
        ("flood", "failed", "the worker's pipe got more than 256 MiB; only the harness may write there"),
    ],
)
def test_a_broken_case_is_kept_with_its_reason_and_the_others_run(tmp_path, site, fault, status, reason):
    done = bench([*RUN, "--precision", "float64", "--trials", "1", "--option", f"fault={fault}"], tmp_path, site)
    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr
    assert_training_ended(the_record(tmp_path), status, reason)


def assert_training_ended(record: Record, status: str, reason: str) -> None:
    """Training ended like that, and inference ran all the same."""
    by_phase = {record.cases[trial.case].phase: trial for trial in record.trials if trial.role == "pilot"}
    assert by_phase["train"].status == status
    assert reason in by_phase["train"].reason
    inference = [trial for trial in record.trials if trial.role == "trial"]
    assert len(inference) == 2
    assert all(trial.status == "ok" for trial in inference)


def test_a_hanging_case_is_kept_with_its_reason_and_the_others_run(tmp_path, site, monkeypatch, capsys):
    marker = tmp_path / "hanging"
    hurry_while_alive(monkeypatch, marker)
    move_in(monkeypatch, tmp_path, site)
    with pytest.raises(SystemExit) as left:
        main([*RUN, "--precision", "float64", "--trials", "1", "--option", "fault=hang", "--option", f"marker={marker}"])
    assert left.value.code == 6, capsys.readouterr().err
    assert_training_ended(the_record(tmp_path), "stalled", "no sign of life for 600 s in stage")


def test_a_pilot_that_was_killed_gets_a_second_try(tmp_path, site):
    done = bench(
        [*TRAIN, "--trials", "2", "--option", f"marker={tmp_path / 'once'}", "--option", "fault=sigkill"], tmp_path, site
    )
    assert done.returncode == 0, done.stderr
    assert [trial.status for trial in the_record(tmp_path).trials] == ["ok"] * 3


def test_one_killed_trial_does_not_stop_the_rest_of_its_case(tmp_path, site):
    running = start_bench([*TRAIN, "--trials", "3", *held_after(1, tmp_path)], tmp_path, site)
    os.kill(wait_until_held(tmp_path), signal.SIGKILL)
    assert running.wait(PATIENCE) == 6
    statuses = [trial.status for trial in the_record(tmp_path).trials if trial.role == "trial"]
    assert statuses == ["ok", "killed", "ok"]


def test_megabytes_of_chatter_end_in_a_small_log_with_its_last_words(tmp_path, site):
    bench([*RUN, "--precision", "float64", "--trials", "1", "--option", "fault=print"], tmp_path, site)
    record = the_record(tmp_path)
    (pilot,) = [t for t in record.trials if t.role == "pilot" and record.cases[t.case].phase == "train"]
    assert log_tail(pilot).endswith("the last words")
    assert len(log_tail(pilot)) <= 2000
    log = (the_run(tmp_path) / "logs" / "case00-pilot.log").read_bytes()
    assert len(log) < 16e6
    assert log.startswith(b"chatter ")
    assert b" bytes of this log are left out here]\n" in log


def held_after(trials: int, folder: Path) -> list[str]:
    """Options of a run of one case whose next trial after so many (and the pilot) waits in the middle of its training."""
    return ["--option", f"hold={trials + 2}", "--option", f"marker={folder / 'held'}"]


def wait_until_held(folder: Path) -> int:
    """The process number of the trial that waits."""
    wait_for((folder / "held").exists)
    return int((folder / "held").read_text())


def wait_for_the_end(worker: psutil.Process) -> None:
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


@LINUX
def test_a_killed_run_takes_its_worker_along_and_resumes(tmp_path, site):
    running = start_bench([*TRAIN, "--trials", "4", *held_after(1, tmp_path), "--option", "fault=orphans"], tmp_path, site)
    worker = psutil.Process(wait_until_held(tmp_path))
    running.kill()
    running.wait(PATIENCE)
    wait_for_the_end(worker)
    wait_for(lambda: not any(map(psutil.pid_exists, orphans(tmp_path))))
    run = the_run(tmp_path)
    with (run / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"type":"trial","trial":{"case":0,')  # the line that the kill tore
    done = bench(["run", "--resume", str(run), "--quiet"], tmp_path, site)
    assert done.returncode == 0, done.stderr
    assert sum(trial.role == "trial" for trial in read_record(run).trials) == 4


def without_ranks(line: bytes) -> bytes:
    entry = json.loads(line)
    entry["trial"]["ranks"] = []
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def unsummed(line: bytes) -> bytes:
    """The line as older releases wrote it, without its checksum, so that a test can change what it says."""
    return json.dumps(json.loads(line)["entry"], separators=(",", ":")).encode() + b"\n"


def test_damaged_lines_cost_themselves_alone_and_are_measured_again(tmp_path, site, monkeypatch):
    """The pilot's line, and a trial's in the middle; the logs have gone, too."""
    assert bench([*TRAIN, "--trials", "3", "--batch-size", "8"], tmp_path, site).returncode == 0
    run = the_run(tmp_path)
    (run / "record.json").unlink()
    shutil.rmtree(run / "logs")
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    pilot, *trials = map(entry_of, (line[:-1] for line in lines))
    flipped = lines[2].replace(b'"wall":', b'"wall":1')  # still JSON of the right types: only its checksum tells
    torn = lines[0][:40] + b"\n"
    (run / "journal.jsonl").write_bytes(b"".join([torn, lines[1], flipped, lines[3], bytes(99)]))
    done = bench(["run", "--resume", str(run), "--quiet"], tmp_path, site)
    assert done.returncode == 0, done.stderr
    assert "journal.jsonl line 1 is damaged and left out" in done.stderr
    assert (
        "line 3 is damaged and left out (it does not match its own checksum); what it held is measured again" in done.stderr
    )
    assert "line 5 is damaged and left out (99 bytes without an end, kept in journal.damaged)" in done.stderr
    assert (run / "journal.damaged").read_bytes() == bytes(99)
    record = read_record(run)
    assert sorted(trial.number for trial in record.trials if trial.role == "trial") == [0, 1, 2]
    assert trials[0].trial in record.trials
    assert trials[2].trial in record.trials
    (anew,) = (trial for trial in record.trials if trial.role == "pilot")
    assert anew != pilot.trial
    assert len({trial.steps_per_sample for trial in record.trials if trial.role == "trial"}) == 1, (
        "settled as the lost pilot had"
    )
    assert sentences(record) == []
    sealed = (run / "record.json").read_bytes()
    assert sorted(Journal.open(run)[0].damaged) == [1, 3]
    move_in(monkeypatch, tmp_path, site)
    assert resume_run(run, wait=False, quiet=True, judge=is_wide) == record
    assert (run / "record.json").read_bytes() == sealed, "another process finished it: its record stays"


def test_a_journal_that_does_not_follow_from_its_plan_is_refused(tmp_path, site):
    assert bench([*TRAIN, "--trials", "1"], tmp_path, site).returncode == 0
    run = the_run(tmp_path)
    (run / "record.json").unlink()
    pilot, trial = map(unsummed, (run / "journal.jsonl").read_bytes().splitlines())
    chosen = b'{"type":"chosen","case":%d,"options":{},"chosen":""}\n'
    changed = {
        "pilot of case 0 is there twice": [pilot, pilot],
        "pilot of case 0 is not the one that its trials": [trial, pilot.replace(b'"batch_size":', b'"batch_size":1')],
        "line of case 9, but": [chosen % 9],
        "the pilot of case 0 is there": [pilot, chosen % 0],
        "trial 9 of case 0, but": [pilot, trial.replace(b'"number":0', b'"number":9')],
        "at place 0, after place 0": [pilot, trial.replace(b'"order":1', b'"order":0')],
        "a pilot of case 0 that stands for another kind": [pilot, trial.replace(b'"role":"trial"', b'"role":"pilot"')],
        "0 ranks for 1 places": [pilot, without_ranks(trial)],
    }
    for complaint, lines in changed.items():
        (run / "journal.jsonl").write_bytes(b"".join(lines))
        with pytest.raises(RecordError, match=rf"line {len(lines)} is damaged: .*{complaint}"):
            Journal.open(run)
    plan = (run / "plan.json").read_text()
    spoilt = {
        "no machine of this host's": re.sub(r'"machines": \{\s*"": ', '"machines": {"x": ', plan),
        "which is to come": re.sub(r'"created": "\d{4}', '"created": "2999', plan),
        "a case on host 'node2', and this release measures on this host alone": re.sub(
            r'("places": \[\s*\{[^}]*"host": )""', r'\1"node2"', plan, count=1
        ),
        "that no process can have": re.sub(r'"environment": \{', '"environment": {"A=B": "b", ', plan, count=1),
    }
    for complaint, text in spoilt.items():
        (run / "plan.json").write_text(text)
        with pytest.raises(RecordError, match=rf"plan.json is damaged, or of another release: .*{complaint}"):
            Journal.open(run)


def test_a_run_in_which_nothing_could_be_measured_is_not_extended(tmp_path, site):
    assert bench([*TRAIN, "--trials", "1"], tmp_path, site).returncode == 0
    run = the_run(tmp_path)
    (run / "record.json").unlink()
    (run / "journal.jsonl").write_text('{"type":"skip","skip":{"what":"a","reason":"b"},"case":0}\n')
    assert bench(["run", "--resume", str(run), "--quiet"], tmp_path, site).returncode == 4
    done = bench(["run", "--resume", str(run), "--trials", "1", "--quiet"], tmp_path, site)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "measured nothing, so there is nothing to extend" in done.stderr


def orphans(folder: Path) -> list[int]:
    """The processes that the test plugin has left: a child of the worker's, and one that has left its session too."""
    numbers = [int(line) for line in (folder / "tmp" / "orphans").read_text().splitlines()]
    assert len(numbers) >= 2
    return numbers


@LINUX
def test_a_worker_that_dies_takes_all_along_that_it_has_started(tmp_path, site):
    done = bench([*TRAIN, "--trials", "1", "--option", "fault=orphans"], tmp_path, site)
    assert done.returncode == 4, done.stderr
    assert "killed by SIGKILL" in done.stderr
    assert not any(map(psutil.pid_exists, orphans(tmp_path)))


def test_two_runs_on_one_host_exclude_each_other_and_wait_queues(tmp_path, site):
    running = start_bench([*TRAIN, "--trials", "3", *held_after(1, tmp_path)], tmp_path, site)
    wait_until_held(tmp_path)
    refused = bench([*TRAIN, "--trials", "1", "-o", "second"], tmp_path, site)
    assert refused.returncode == 2
    assert "another run is measuring on host" in refused.stderr
    assert "--wait" in refused.stderr
    running.send_signal(signal.SIGINT)
    queued = bench([*TRAIN, "--trials", "1", "-o", "third", "--wait"], tmp_path, site)
    running.wait(PATIENCE)
    assert queued.returncode == 0, queued.stderr


def test_a_full_disk_keeps_what_is_there(tmp_path, site):
    """A file-size limit stands for a full disk: writing fails in the same place, with an error of its own."""
    kibibytes = 24
    limited = ["bash", "-c", f'ulimit -S -f {kibibytes}; exec "$0" "$@"', sys.executable, "-m", "bench"]
    done = subprocess.run(
        [*limited, *TRAIN, "--trials", "60", "--images", "64"],
        cwd=tmp_path,
        env=environment(tmp_path, site),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "everything before is kept" in done.stderr
    assert "Traceback" not in done.stderr
    journal = (the_run(tmp_path) / "journal.jsonl").read_bytes()
    assert journal.endswith(b"\n")
    assert 0 < len(journal) <= kibibytes * 1024


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory) -> tuple[Path, Path]:
    """A folder with a run that was interrupted in the middle, and the packages that it found."""
    folder = tmp_path_factory.mktemp("interrupted")
    site = folder / "site"
    install_misbehaving(site)
    running = start_bench([*TRAIN, "--trials", "3", *held_after(1, folder)], folder, site)
    wait_until_held(folder)
    running.send_signal(signal.SIGINT)
    running.wait(PATIENCE)
    return folder, site


@pytest.mark.process
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (r'"fingerprint": "\w+"', '"fingerprint": "0123456789abcdef"', "another machine"),
        ('"oracle": "1"', '"oracle": "0.9"', "misbehaving had oracle 0.9 and has oracle 1"),
        ('"bench": "', '"bench": "0.0.', "accelbench was 0.0."),
        ('"dots-small": "', '"dots-small": "x', "the images are not the same"),
        ('"PYTHONHASHSEED": "0"', '"PYTHONHASHSEED": "0", "LD_PRELOAD": "x.so"', "are not those that its backend sets"),
    ],
)
def test_resuming_on_another_machine_or_with_other_software_is_refused(interrupted, old, new, words):
    folder, site = interrupted
    plan = the_run(folder) / "plan.json"
    text = plan.read_text()
    changed = re.sub(old, new, text, count=1)
    assert changed != text
    plan.write_text(changed)
    done = bench(["run", "--resume", str(plan.parent), "--quiet"], folder, site)
    plan.write_text(text)
    assert done.returncode == 4, done.stderr
    assert words in done.stderr


@pytest.mark.process
def test_a_program_that_the_plan_alone_names_is_not_started(interrupted, tmp_path):
    folder, site = interrupted
    plan, mark, program = the_run(folder) / "plan.json", tmp_path / "mark", tmp_path / "python"
    program.write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    program.chmod(0o755)
    text = plan.read_text()
    plan.write_text(re.sub(r'"interpreter": "[^"]*"', f'"interpreter": "{program}"', text))
    resume = ["run", "--resume", str(plan.parent), "--quiet"]
    refused = bench(resume, folder, site)
    assert (refused.returncode, mark.exists()) == (2, False)
    assert f"would start {program} for plugin 'misbehaving'" in refused.stderr
    assert f"if you trust that program, add --interpreter misbehaving={program}" in refused.stderr
    assert bench([*resume, "--interpreter", f"misbehaving={program}"], folder, site).returncode == 4
    assert mark.exists()
    for old, new, words in (
        ('"module": "misbehaving_plugin"', '"module": "antigravity"', "would import antigravity of package"),
        ('"backend": "misbehaving"', '"backend": "../../mine"', "'../../mine', which would name a file, is no plain word"),
    ):
        assert old in text
        plan.write_text(text.replace(old, new))
        refused = bench(resume, folder, site)
        assert refused.returncode == 2
        assert words in refused.stderr
    plan.write_text(text)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("abort", "plugin 'misbehaving' (misbehaving_plugin): 'prepare' crashed: the worker crashed with SIGABRT; see "),
        (
            "exit",
            "plugin 'misbehaving' (misbehaving_plugin): 'prepare' crashed: the worker exited with code 7 and no answer",
        ),
        ("raise", "RuntimeError: the kernel launch failed (in Dots.open of misbehaving_plugin; plugin 'misbehaving'"),
    ],
)
def test_a_reader_that_fails_in_any_way_is_the_plugins_fault(tmp_path, site, fault, words):
    (tmp_path / fault).mkdir()
    done = bench([*TRAIN, "--trials", "1", "--data", str(tmp_path / fault)], tmp_path, site)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert words in done.stderr


def test_a_layer_that_the_backend_lacks_is_a_skip_and_alone_nothing_to_measure(tmp_path, site):
    done = bench([*TRAIN, "--trials", "1", "--option", "fault=unsupported"], tmp_path, site)
    assert done.returncode == 4, done.stderr
    assert "no LayerNorm" in done.stderr
    assert "Traceback" not in done.stderr
    assert [skip.reason for skip in the_record(tmp_path).skips] == ["no LayerNorm ('norm')"]


def test_an_option_that_no_backend_has_is_refused(tmp_path, site):
    done = bench([*TRAIN, "--option", "fualt=hang"], tmp_path, site)
    assert done.returncode == 2
    assert "unknown option 'fualt'; there are: fault, hold, marker, note, pause; did you mean 'fault'?" in done.stderr


def test_the_parent_imports_no_framework_and_no_plugin(tmp_path, site):
    code = (
        "import sys; from bench.cli import main, run\n"
        "run._finish = lambda *given: None\n"  # the table needs NumPy, measuring must not
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'torch','jax','numpy','pandas','pluggy','backends','workloads',"
        "'misbehaving_plugin'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *TRAIN, "--trials", "1"],
        cwd=tmp_path,
        env=environment(tmp_path, site),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with a run of one trial that has ended well, in a process of its own."""
    folder = tmp_path_factory.mktemp("whole")
    install_misbehaving(folder / "site")
    done = bench_process([*TRAIN, "--trials", "1"], folder, folder / "site")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.process
def test_a_log_names_the_variables_that_workers_did_not_get(whole):
    assert "PYTEST_CURRENT_TEST" in (the_run(whole) / "logs" / "environment.log").read_text()


@pytest.mark.process
def test_a_record_hashes_host_and_folders_with_a_salt_that_does_not_travel_with_it(whole, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(whole / "cache"))
    record, salt = the_record(whole), salt_of(whole / "bench-results")
    assert record.machine.host == hashed(platform.node(), salt) != hashed(platform.node())
    folders = {rank.package["folder"] for trial in record.trials for rank in trial.ranks}
    assert folders == {hashed(str(Path(bench_package.__file__).parent), salt)}
    kept = [path.read_bytes() for path in the_run(whole).rglob("*") if path.is_file()]
    assert not any(salt.encode() in content for content in kept)


@pytest.mark.process
def test_a_run_leaves_no_folder_for_temporary_files(whole):
    assert not [name for name in (whole / "tmp").iterdir() if name.name.startswith(PREFIX)]
