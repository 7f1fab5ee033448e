"""The GitHub action's steps, run as they are written, and the workflows' shape."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench.record.files import find_records, read_record
from tests.support.project import ENVIRONMENT_CHECK, INSTALL, bare_python, foreign_project, harness_source
from tests.support.site import environment
from tests.support.workflow import OURS, ROOT, Job, fake_gh

ACTION = ROOT / "action.yml"
PERFORMANCE = ROOT / ".github" / "workflows" / "performance.yml"
ALARM_RATE = PERFORMANCE.with_name("alarm-rate.yml")
DOCUMENT = ROOT / "docs" / "continuous-integration.md"
STEPS = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
EVENT = {"github.token": "t0ken", "github.sha": "c0ffee", "github.job": "speed", "strategy.job-index": "3"}


def samples() -> dict[str, dict]:
    """The workflows that the document holds, by name."""
    found = [
        yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    ]
    return {workflow["name"]: workflow for workflow in found if "jobs" in workflow}


@pytest.mark.process
def test_a_foreign_projects_regression_fails_its_job_after_the_results_were_published(tmp_path):
    """Only a list of requirements differs between the two commits: the slow-down is that of the newer package."""
    project, variables = foreign_project(tmp_path)
    variables |= {"PATH": fake_gh(tmp_path / "gh", allowed=True), "GITHUB_REPOSITORY": "owner/project"}
    variables |= {"RUNNER_TEMP": str(tmp_path / "runner"), "GITHUB_ACTIONS": "true", "CI": "true"}
    job = Job(project, variables, EVENT | {"github.event.pull_request.number": "7"}, harness_source(tmp_path / "action"))
    arguments = "\n".join([*ENVIRONMENT_CHECK[:2], " ".join(ENVIRONMENT_CHECK[2:]), "--option 'note=two words'"])
    python = bare_python(tmp_path / "python")
    own = {
        "against-ref": "quick",
        "budget": "24h",
        "python": python,
        "arguments": arguments,
        "install": INSTALL.replace(" -r", "\n-r"),
    }
    *steps, check = samples()["speed"]["jobs"]["speed"]["steps"]
    assert not job.run([*steps, check | {"with": check["with"] | own}])
    assert job.outputs["steps.measure.outputs.exit-code"] == "5", job.log
    assert "::error title=accelbench::regressed" in job.log
    assert "Packages that differ: pace 1 → 2." in job.log
    assert job.given[-1]["name"] == "accelbench-speed-3"
    published = {file for glob in job.given[-1]["path"].splitlines() for file in project.glob(glob)}
    assert {file.name for file in published} == {"record.json", "check.xml", "check.json", "check.md", "check.txt"}
    assert {file.name for file in (project / "bench-results").rglob("*")} >= {"plan.json", "journal.jsonl", "logs"}
    records = [read_record(path) for path in find_records(project)]
    assert {case.options["note"] for record in records for case in record.cases} == {"two words"}
    assert {rank.package["plugin"] for record in records for trial in record.trials for rank in trial.ranks} == {
        "foreign 1.0"
    }
    for name in ("check.xml", "check.json", "check.txt"):
        assert (project / "bench-results" / name).stat().st_size > 0
    assert "regressed" in (project / "github_step_summary.txt").read_text()
    comment = (project / "bench-results" / "comment.md").read_text()
    assert comment.startswith("<!-- accelbench: accelbench-speed-3 -->\n")
    assert re.search(r"\d → [\d,.]+ images/s", comment)
    assert "body=@bench-results/comment.md" in (tmp_path / "gh" / "asked").read_text()
    assert list((tmp_path / "cache" / "refs").iterdir()) == []
    assert subprocess.check_output(["git", "worktree", "list"], cwd=project, text=True).count("\n") == 1


def job_after(folder, allowed, answer="", **event):
    """A job whose check has written its files."""
    (folder / "bench-results").mkdir()
    for name in ("check.txt", "check.md"):
        (folder / "bench-results" / name).write_text("a table\n")
    path = fake_gh(folder / "gh", allowed, answer)
    return Job(folder, environment(folder) | {"PATH": path, "GITHUB_REPOSITORY": "owner/project"}, EVENT | event)


INPUTS = {"results": "bench-results", "token": "t0ken", "artifact": "speed", "comment": "true"}


@pytest.mark.process
@pytest.mark.parametrize("allowed", [True, False])
def test_inconclusive_is_neutral_and_at_least_a_warning(tmp_path, allowed):
    job = job_after(tmp_path, allowed, **{"steps.measure.outputs.exit-code": "3"})
    assert job.run(STEPS[-1:], INPUTS), job.log
    asked = (tmp_path / "gh" / "asked").read_text().splitlines()
    assert {"repos/owner/project/check-runs", "head_sha=c0ffee", "conclusion=neutral", "name=speed"} <= set(asked)
    assert ("::warning title=accelbench::inconclusive" in job.log) == (not allowed)


@pytest.mark.process
@pytest.mark.parametrize(("code", "good"), [("0", True), ("2", False), ("4", False), ("", False)])
def test_only_a_verdict_lets_a_job_pass(tmp_path, code, good):
    job = job_after(tmp_path, allowed=True, **{"steps.measure.outputs.exit-code": code})
    assert job.run(STEPS[-1:], INPUTS) == good
    assert not (tmp_path / "gh" / "asked").exists()


@pytest.mark.process
@pytest.mark.parametrize(
    ("allowed", "before", "asked"),
    [
        (True, "", "repos/owner/project/issues/7/comments"),
        (True, "11\\n12\\n", "repos/owner/project/issues/comments/11"),
        (False, "", "repos/owner/project/issues/7/comments"),
    ],
)
def test_a_comment_is_written_once_and_then_renewed(tmp_path, allowed, before, asked):
    job = job_after(tmp_path, allowed, before, **{"github.event.pull_request.number": "7"})
    assert job.run(STEPS[-2:-1], INPUTS), job.log
    words = (tmp_path / "gh" / "asked").read_text().splitlines()
    assert asked in words
    assert ("PATCH" in words) == bool(before)
    assert ("body=@bench-results/comment.md" in words) == allowed
    assert ("::notice title=accelbench::the token may not write comments" in job.log) == (not allowed)
    assert (tmp_path / "bench-results" / "comment.md").read_text() == "<!-- accelbench: speed -->\n#### speed\n\na table\n"


@pytest.mark.process
@pytest.mark.parametrize(("wanted", "number"), [("false", "7"), ("true", "")])
def test_nobody_gets_a_comment_who_did_not_ask(tmp_path, wanted, number):
    job = job_after(tmp_path, allowed=True, **{"github.event.pull_request.number": number})
    assert job.run(STEPS[-2:-1], INPUTS | {"comment": wanted}), job.log
    assert not (tmp_path / "gh" / "asked").exists()


@pytest.mark.parametrize(
    "workflow",
    [*samples().values(), *(yaml.safe_load(place.read_text()) for place in (PERFORMANCE, ALARM_RATE))],
    ids=lambda one: one["name"],
)
def test_workflows_to_copy_ask_for_what_the_action_has_and_for_no_more_rights(workflow):
    inputs = yaml.safe_load(ACTION.read_text())["inputs"]
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    checks = [step for step in steps if step.get("uses") in OURS]
    assert checks
    for step in checks:
        assert step["with"].keys() <= inputs.keys()
        assert {name for name, one in inputs.items() if one.get("required")} <= step["with"].keys()
    for job in workflow["jobs"].values():
        used = {step["uses"].split("@")[0]: step["with"] for step in job["steps"] if "uses" in step}
        checkout = used.get("actions/checkout")
        assert checkout in (None, {"fetch-depth": 0, "persist-credentials": False})
        # The cache is found by the requirements of what is checked out, and without a checkout setup-python refuses it.
        assert ("cache" in used["actions/setup-python"]) == (checkout is not None)
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    assert workflow["permissions"]["contents"] == "read"
    assert "concurrency" in workflow


def test_the_document_names_each_input():
    rows = re.findall(r"^\| `([a-z-]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert set(yaml.safe_load(ACTION.read_text())["inputs"]) <= set(rows)


def test_what_a_cancelled_job_left_is_not_published():
    assert {step.get("if") for step in STEPS[2:]} == {"${{ !cancelled() }}"}


def test_actions_of_others_are_pinned():
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one) for one in used)


def test_code_from_forks_gets_no_secrets_and_no_machine_of_ours():
    workflow = yaml.safe_load(PERFORMANCE.read_text())
    assert "pull_request_target" not in workflow[True]  # YAML 1.1 reads the key "on" as true
    assert "secrets." not in PERFORMANCE.read_text()
    assert {job["runs-on"] for job in workflow["jobs"].values()} == {"ubuntu-latest"}
    assert workflow["permissions"]["contents"] == "read"


OLDER_RUNS = """#!/bin/sh
case "$2" in
  list) printf '11\\n12\\n13\\n' ;;
  download)
    [ "$3" != 12 ] || exit 1 # its artifacts are gone
    mkdir -p "$9/alarm-rate-1"
    echo '{"format": "accelbench comparison", "verdict": "pass", "cases": [{}]}' > "$9/alarm-rate-1/check.json" ;;
esac
"""
"""A ``gh`` that knows three runs of a workflow, of which one has left nothing."""


@pytest.mark.process
def test_the_scheduled_workflow_publishes_the_runners_rate_of_alarms(tmp_path):
    *_, counting = samples()["alarm rate"]["jobs"]["count"]["steps"]
    *_, own = yaml.safe_load(ALARM_RATE.read_text())["jobs"]["count"]["steps"]
    assert counting == own
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(OLDER_RUNS)
    gh.chmod(0o755)
    path = os.pathsep.join([str(gh.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    names = {"PATH": path, "GITHUB_REPOSITORY": "owner/project", "GITHUB_WORKFLOW": "alarm rate"}
    job = Job(tmp_path, environment(tmp_path) | names, EVENT)
    assert job.run([counting]), job.log
    assert "nothing is left of run 12" in job.log
    assert "2 checks of unchanged code" in (tmp_path / "github_step_summary.txt").read_text()
    for step in samples()["alarm rate"]["jobs"]["unchanged"]["steps"]:
        if step["uses"] in OURS:
            assert step["with"]["against-ref"] == "HEAD"
            assert step["continue-on-error"] is True
            assert step["with"]["artifact"].startswith("alarm-rate-")
