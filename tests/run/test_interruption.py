"""A run that is interrupted, or out of time, seals what it has; it can be reported, and finished in its folder."""

from __future__ import annotations

import re
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import click
import psutil
import pytest

from bench.analysis.build import build
from bench.analysis.pool import pool
from bench.cli import COMMANDS
from bench.cli import bench as group
from bench.record.figures import settled
from bench.record.files import read_record
from bench.record.plausible import sentences
from bench.record.schema import Extended, Record
from bench.run import discovery, process
from bench.run.interruption import interruptible
from bench.run.limits import STALL_SECONDS
from bench.text import waiting
from tests.run.test_faults import TRAIN, held_after, the_record, the_run, wait_for_the_end, wait_until_held
from tests.support.site import bench, install, start_bench
from tests.support.waiting import PATIENCE, wait_for


def interrupted(folder: Path, site: Path, number: int, *more: str) -> tuple[int, str]:
    """A run of five trials that gets a signal in the third; its exit code, and what it said. With Ctrl-C its worker hangs, too."""
    process = start_bench([*TRAIN, "--trials", "5", *held_after(2, folder), *more], folder, site)
    worker = psutil.Process(wait_until_held(folder))
    if number == signal.SIGINT:
        worker.suspend()  # as in a driver that does not answer
    process.send_signal(number)
    code = process.wait(PATIENCE)
    wait_for_the_end(worker)
    return code, (folder / "output").read_text()


def trials_of(record: Record) -> list[int]:
    return sorted(trial.number for trial in settled(record.trials) if trial.role == "trial")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_is_sealed_and_reported(tmp_path, site, number, code):
    found, said = interrupted(tmp_path, site, number)
    assert found == code
    assert "sealed as incomplete" in said
    assert "--resume" in said
    assert "Traceback" not in said
    record = the_record(tmp_path)
    assert not record.complete
    assert trials_of(record) == [0, 1]
    reported = bench(["report", str(the_run(tmp_path))], tmp_path, site)
    assert reported.returncode == 0, reported.stderr
    assert "Sealed after an interruption" in reported.stdout


def test_a_run_whose_time_is_up_is_sealed_then_finished_in_place_and_then_extended(tmp_path, site):
    """The alarm is sent by hand, so that no machine is too slow for the trials before it."""
    shared = tmp_path / "shared"
    code, said = interrupted(tmp_path, site, signal.SIGALRM, "--time-limit", "24h", "--publish", str(shared))
    assert code == 6
    assert "the time limit was reached; what was measured is sealed as incomplete" in said
    assert "Sealed after an interruption" in said
    run = the_run(tmp_path)
    partial, before = read_record(run), (run / "journal.jsonl").read_bytes()
    assert not partial.complete
    kept = (run / "journal.jsonl").read_bytes()
    (run / "journal.jsonl").write_bytes(kept[: kept[:-1].rfind(b"\n") + 1])
    done = bench(["run", "--resume", str(run)], tmp_path, site)
    assert done.returncode == 2
    assert "holds 3 trials and its journal 2: the journal has lost some" in done.stderr
    (run / "journal.jsonl").write_bytes(kept)
    done = bench(["run", "--resume", str(run), "--quiet", "--time-limit", "1h", "--publish", str(shared)], tmp_path, site)
    assert done.returncode == 0, done.stderr
    assert (run / "journal.jsonl").read_bytes().startswith(before), "finished trials are not measured again"
    whole = read_record(run)
    assert whole.complete
    assert (whole.id, whole.created) == (partial.id, partial.created)
    assert trials_of(whole) == list(range(5))
    assert read_record(shared / run.name) == whole, "what was published incomplete is replaced by the finished run"
    assert {record.complete for record in pool([partial, whole, partial]).records.values()} == {True}
    sealed = (run / "record.json").read_bytes()
    done = bench(["run", "--resume", str(run / "record.json"), "--trials", "2"], tmp_path, site)
    assert done.returncode == 0, done.stderr
    assert f"the run in {run} is complete; a new record of its trials and more is made" in done.stderr
    assert (run / "record.json").read_bytes() == sealed
    (other,) = (folder for folder in run.parent.iterdir() if folder != run)
    longer = read_record(other)
    assert longer.complete
    assert longer.id == other.name != whole.id
    assert longer.extends == [Extended(id=whole.id, created=whole.created)]
    assert longer.trials[: len(whole.trials)] == whole.trials
    assert trials_of(longer) == list(range(7))
    assert sentences(longer) == []
    for order in ([whole, longer], [longer, whole]):
        report = build(order)
        (case,) = report.measured
        assert (case.trials, case.records, case.log.over) == (7, 1, "trials")
        assert "Trials that stand in two records were counted once: 5 trials." in report.notes
    (run / "journal.jsonl").write_bytes(before)
    done = bench(["run", "--resume", str(run)], tmp_path, site)
    assert done.returncode == 2
    assert "the journal has lost some; start a new run" in done.stderr
    assert len(list(run.parent.iterdir())) == 2


def test_no_time_for_a_single_trial_is_nothing_measured(tmp_path, site):
    done = bench([*TRAIN, "--time-limit", "0.05s"], tmp_path, site)
    assert done.returncode == 4
    assert "the time limit was reached before any trial was finished" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--resume", ""], "--resume is empty"),
        (["--publish", ""], "--publish is empty"),
        (["--resume", "somewhere", "--dry-run"], "leave out --dry-run"),
        (["--within", "0%"], "--within 0% is not possible"),
        (["--within", "wide"], "--within wide is not possible"),
        (["--within", "101"], "expected more than 0 percent, at most 100, as in 5%"),
        (["--resume", "nowhere"], "nowhere holds no run to resume"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, words, said):
    done = bench(["run", *words], tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_plan_needs_no_time(tmp_path, site):
    done = bench([*TRAIN, "--dry-run", "--time-limit", "0.01s"], tmp_path, site)
    assert done.returncode == 0, done.stderr


def test_a_run_whose_folder_has_gone_is_interrupted_all_the_same(tmp_path, site):
    process = start_bench([*TRAIN, "--trials", "2", *held_after(1, tmp_path)], tmp_path, site)
    worker = psutil.Process(wait_until_held(tmp_path))
    shutil.rmtree(the_run(tmp_path))
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    wait_for_the_end(worker)
    assert "what was measured is not sealed" in (tmp_path / "output").read_text()


def test_a_signal_that_is_ignored_stays_ignored():
    """As for what nohup starts, or a shell in the background."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) not in {signal.SIG_IGN, signal.SIG_DFL}
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("limit", ["soon", "0", "-5m", "25h", "1e3"])
def test_a_time_limit_that_is_none_is_refused(tmp_path, limit):
    done = bench(["run", f"--time-limit={limit}"], tmp_path)
    assert done.returncode == 2
    assert f"--time-limit {limit} is not a time to spend" in done.stderr


def test_every_command_that_starts_a_worker_takes_the_same_stall_timeout():
    context = click.Context(group)
    commands = {name: group.get_command(context, name) for name in COMMANDS}
    limits = {
        name: option.default
        for name, command in commands.items()
        for option in command.params
        if option.name == "stall_timeout"
    }
    without = {"results", "compare", "history", "cache", "new-backend", "alarm-rate"}  # which start no worker
    assert limits == dict.fromkeys(set(COMMANDS) - without, STALL_SECONDS)


HUNG = "import time; time.sleep(3600)"


@pytest.mark.process
def test_a_slow_plugin_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(waiting, "FIRST_SECONDS", 0.1)
    found = discovery.discover(())
    assert {"melanoma", "dermamnist"} <= {workload.info.name for workload in found.workloads}
    said = capsys.readouterr().err
    assert re.search(r"bench: waiting for plugin '\w+' \((backends|workloads)\.\w+\)", said)
    assert "to import and probe; a plugin that is silent for 600 s is left out (--stall-timeout); " in said


def test_a_plugin_that_hangs_is_left_out(tmp_path, site, monkeypatch, capsys):
    """Ten minutes pass by a clock that leaps once the plugin is known to hang, and the parent has heard of its import."""
    mark, asked = tmp_path / "mark", [0]
    install(site, "hung", {"hung": "hung_plugin"}, {"hung_plugin": f"open({str(mark)!r}, 'w').close(); {HUNG}"})

    def now() -> float:
        asked[0] += mark.exists()
        return time.monotonic() + (1000.0 if asked[0] > 40 else 0.0)

    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=now))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.syspath_prepend(site)
    found = discovery.discover(())
    assert found.broken["hung"].startswith(
        "plugin 'hung' (hung_plugin): no sign of life for 600 s in stage 'import and probe'"
    )
    assert "give --stall-timeout more" in found.broken["hung"]


SLOW = """
import pathlib, time
from bench.contract import hookimpl
pathlib.Path({mark!r}).touch()
while not pathlib.Path({go!r}).exists():
    time.sleep(0.01)

class Slow:
    name = "slow"
    def render(self, report): return ""

@hookimpl
def bench_reporters(): return [Slow()]
"""


@pytest.mark.parametrize(("limit", "left_out"), [(60.0, True), (1200.0, False)])
def test_an_import_of_75_seconds_is_left_to_the_stall_timeout(tmp_path, site, monkeypatch, limit, left_out):
    """As from a cold network disk. The plugin imports until the parent's clock has leapt 75 seconds, or is ended for its silence."""
    mark, go = tmp_path / "mark", tmp_path / "go"
    install(site, "slow", {"slow": "slow_plugin"}, {"slow_plugin": SLOW.format(mark=str(mark), go=str(go))})
    ahead = 0.0

    def now() -> float:
        nonlocal ahead
        if mark.exists() and not go.exists():
            ahead += 75.0
            if not left_out and ahead > 75.0:  # the first answer may be of when the parent last heard of the worker
                go.touch()
        return time.monotonic() + ahead

    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=now))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.syspath_prepend(site)
    found = discovery.discover((), stall=limit)
    assert ("slow" in {reporter.info for reporter in found.reporters}) != left_out
    if left_out:
        words = (
            r"no sign of life for 60 s in stage '(start|import and probe)'; if it is only slow, give --stall-timeout more$"
        )
        assert re.search(words, found.broken["slow"])


def test_listing_is_interrupted_at_once_while_a_plugin_hangs(tmp_path, site):
    mark = tmp_path / "mark"
    install(site, "hung", {"hung": "hung_plugin"}, {"hung_plugin": f"open({str(mark)!r}, 'w').close(); {HUNG}"})
    process = start_bench(["list"], tmp_path, site)
    wait_for(mark.exists)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    for worker in workers:
        worker.suspend()  # as a driver that does not answer
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    for worker in workers:
        wait_for_the_end(worker)
    assert "Traceback" not in (tmp_path / "output").read_text()


def test_a_run_that_is_interrupted_after_its_pilot_keeps_it(tmp_path, site):
    process = start_bench([*TRAIN, "--trials", "2", *held_after(0, tmp_path), "--time-limit", "24h"], tmp_path, site)
    worker = psutil.Process(wait_until_held(tmp_path))
    process.send_signal(signal.SIGALRM)
    assert process.wait(PATIENCE) == 4
    wait_for_the_end(worker)
    assert "the time limit was reached before any trial was finished" in (tmp_path / "output").read_text()
    assert [trial.role for trial in the_record(tmp_path).trials] == ["pilot"]
    reported = bench(["report", str(the_run(tmp_path))], tmp_path, site)
    assert reported.returncode == 4
    assert "nothing was measured in 1 record" in reported.stderr
    done = bench(["run", "--resume", str(the_run(tmp_path)), "--quiet"], tmp_path, site)
    assert done.returncode == 0, done.stderr
    assert trials_of(the_record(tmp_path)) == [0, 1]
