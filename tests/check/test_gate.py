"""``bench check`` between real environments: equal ones, a slower one, one that lacks everything, and a git ref."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys

import pytest

from bench.record.figures import standing, trials_of
from bench.record.files import read_record
from tests.support.project import ENVIRONMENT_CHECK, git_project
from tests.support.site import bench, environment, install_misbehaving, start_bench
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.process

CHECK = ["check", *ENVIRONMENT_CHECK]

CODES = {"pass": 0, "improved": 0, "inconclusive": 0, "regressed": 5}
"""The exit code of each verdict with ``--inconclusive warn``. Which verdict a busy machine gives to equal environments is open."""


def test_a_check_leaves_two_records_that_compare_alike(tmp_path, site):
    junit, as_json, summary, page = (tmp_path / name for name in ("check.xml", "check.json", "summary.md", "check.md"))
    files = ["--junit", str(junit), "--json", str(as_json), "--markdown", str(page)]
    run = [sys.executable, "-m", "bench", *CHECK, "--against", sys.executable, *files]
    done = subprocess.run(
        [*run, "--inconclusive", "warn"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=environment(tmp_path, site) | {"GITHUB_STEP_SUMMARY": str(summary)},
    )  # fmt: skip
    found = json.loads(as_json.read_text())
    assert done.returncode == CODES[found["verdict"]], done.stdout + done.stderr
    (case,) = found["cases"]
    assert case["figures"]["method"] == "pairs"
    assert abs(case["figures"]["effect"]["log_ratio"]) < math.log(5), "a slow way takes ten times as long"
    assert "dots-small train" in summary.read_text()
    assert page.read_text().strip() == summary.read_text().strip()
    assert "<testsuite" in junit.read_text()
    (check,) = (tmp_path / "bench-results").iterdir()
    base, candidate = (read_record(check / arm) for arm in ("base", "candidate"))
    assert base.labels["check"] == candidate.labels["check"]
    assert {trial.number for trial in base.trials if trial.role == "trial"} == set(range(6))
    proven = [{t.number for t in trials_of(arm.trials, 0) if standing(t) == "proven"} for arm in (base, candidate)]
    assert case["figures"]["effect"]["n"] == len(proven[0] & proven[1])  # six, but for those that a busy machine disturbed
    again = bench(["compare", str(check / "base"), str(check / "candidate"), "--format", "json"], tmp_path, site)
    assert json.loads(again.stdout)["cases"][0]["figures"] == case["figures"]


def test_an_environment_that_lacks_the_package_is_refused(tmp_path, site):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "empty")], check=True)
    python = tmp_path / "empty" / "bin" / "python"
    done = bench([*CHECK, "--against", str(python)], tmp_path, site)
    assert done.returncode == 2
    assert "No module named" in done.stderr
    assert "install accelbench" in done.stderr
    assert not (tmp_path / "bench-results").exists()


def test_an_interpreter_that_answers_something_else_is_not_comparable(tmp_path, site):
    fake = tmp_path / "python"
    answer = b'{"type":"result","value":{}}\n'
    fake.write_text(f"#!{sys.executable}\nimport os, sys\ninput()\nos.write(int(sys.argv[4]), {answer!r})\n")
    fake.chmod(0o755)
    done = bench([*CHECK, "--against", str(fake)], tmp_path, site)
    assert done.returncode == 4, done.stderr
    assert done.stderr.startswith(f"bench: what {fake} answers is not understood here (Object missing required field")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--against", "/nowhere/python"], 2, "no such interpreter"),
        ([], 2, "one of --against, --against-ref and --baseline"),
        (["--against", "x", "--baseline", "y"], 2, "found --against and --baseline"),
        (["--against", sys.executable, "--budget", "soon"], 2, "something like 90s"),
        (["--against", sys.executable, "--budget", "1s"], 2, "too little for the smallest look"),
        (["--against", sys.executable, "--pairs", "3"], 2, "too little for the smallest look"),
        (["--against", sys.executable, "--vary", "framework"], 2, "--vary goes with --baseline"),
        (["--against-ref", "no-such-ref"], 2, "not in a git repository"),
        (["--baseline", "nowhere"], 2, "there is no record at nowhere"),
    ],
)
def test_wrong_use_is_one_sentence(tmp_path, site, options, code, words):
    done = bench([*CHECK, *options], tmp_path, site)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_bisect_gets_exit_codes_that_git_understands(tmp_path, site):
    wrong = bench([*CHECK, "--against", "/nowhere/python", "--bisect"], tmp_path, site)
    assert wrong.returncode == 128
    first = bench(
        ["run", *CHECK[1:9], "--seconds", "0.1", "--trials", "2", "--phase", "train", "--no-ceilings", "--quiet"],
        tmp_path,
        site,
    )
    assert first.returncode == 0, first.stderr
    undecided = bench([*CHECK, "--baseline", "bench-results", "--bisect"], tmp_path, site)
    assert undecided.returncode == 125, undecided.stderr
    assert "holds 1 session;" in " ".join(undecided.stdout.split())
    (made,) = [run for run in (tmp_path / "bench-results").iterdir() if read_record(run).labels]
    assert read_record(made).labels == {"check": "baseline"}  # no session of a later baseline


def test_an_interrupted_check_is_no_verdict_for_git_keeps_its_trials_and_is_finished(tmp_path, site):
    held = tmp_path / "held"
    waiting = ["--option", "hold=5", "--option", f"marker={held}"]  # after two pilots and a pair
    process = start_bench([*CHECK, "--against", sys.executable, "--bisect", *waiting], tmp_path, site)
    wait_for(held.exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143
    output = (tmp_path / "output").read_text()
    (check,) = (tmp_path / "bench-results").iterdir()
    assert output.endswith(
        f"bench: interrupted; what was measured is sealed as incomplete in bench-results/{check.name}; go on with the same command and "
        f"--resume bench-results/{check.name}\n"
    )
    assert "Traceback" not in output
    partial = [read_record(check / arm) for arm in ("base", "candidate")]
    assert [(record.complete, len(trials_of(record.trials, 0))) for record in partial] == [(False, 1), (False, 1)]
    resume = ["check", "--against", sys.executable, "--quiet", "--resume", str(check)]
    for words, code, said in (
        ([*resume, "--pairs", "9"], 2, "--resume goes on with a check as it was planned; leave out --pairs"),
        ([*resume[:-1], str(tmp_path)], 2, "holds no check to resume"),
        ([*resume, "--inconclusive", "warn", "--json", "check.json"], None, ""),
        (resume, 2, f"the check in {check} is complete"),
    ):
        done = bench(words, tmp_path, site)
        if code is None:
            code = CODES[json.loads((tmp_path / "check.json").read_text())["verdict"]]
        assert done.returncode == code, done.stderr
        assert said in done.stderr
    whole = [read_record(check / arm) for arm in ("base", "candidate")]
    for before, after in zip(partial, whole, strict=True):
        assert after.complete
        assert after.trials[: len(before.trials)] == before.trials
        assert {trial.number for trial in trials_of(after.trials, 0)} == set(range(6))
        assert {"check": check.name.removeprefix("check-")}.items() <= after.labels.items()


def test_a_git_ref_is_measured_as_it_was_or_refused(tmp_path):
    """A whole check with environments that pip makes is tested with the action that asks for it (test_action)."""
    project, own = git_project(tmp_path)
    site = tmp_path / "site"
    install_misbehaving(site)
    (site / "misbehaving_plugin.py").unlink()  # the present environment runs the working tree

    def against_ref(python, **variables):
        words = [python, "-P", "-m", "bench", *CHECK, "--against-ref", "quick"]
        return subprocess.run(
            words, cwd=project, env=environment(tmp_path) | variables, capture_output=True, text=True, check=False
        )

    # PYTHONPATH would reach the other environment too, and hide the ref's code: it is refused, not measured.
    hidden = against_ref(sys.executable, PYTHONPATH=os.pathsep.join([str(site), str(project)]))
    assert hidden.returncode == 4, hidden.stdout + hidden.stderr
    assert "does not run the code checked out" in hidden.stderr
    slower = against_ref(own)
    assert slower.returncode == 5, slower.stdout + slower.stderr
    assert "regressed" in slower.stdout
    unknown = bench([*CHECK, "--against-ref", "nonsense"], project)
    assert unknown.returncode == 2
    assert "no git ref 'nonsense'" in unknown.stderr
