"""The GitHub action's steps, run as they are written, and the workflows' shape."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bench.record.files import find_records, read_record
from tests.support.project import ENVIRONMENT_CHECK, git_project
from tests.support.site import environment
from tests.support.workflow import ROOT, Job, fake_gh

PERFORMANCE = ROOT / ".github" / "workflows" / "performance.yml"


def act(folder: Path, python: str, ref: str, path: str, more: str = "") -> tuple[Job, bool]:
    (folder / "action.yml").write_text((ROOT / "action.yml").read_text())
    event = {"github.token": "t0ken", "github.sha": "c0ffee"}
    job = Job(folder, environment(folder) | {"PATH": path, "GITHUB_REPOSITORY": "owner/project"}, event)
    arguments = "\n".join([*ENVIRONMENT_CHECK[:2], " ".join(ENVIRONMENT_CHECK[2:]), "--option 'note=two words'", more])
    with_ = {"against-ref": ref, "budget": "24h", "python": python, "arguments": arguments}
    return job, job.run([{"uses": "./", "with": with_}])


@pytest.mark.process
def test_a_regression_fails_the_job_after_its_results_were_published(tmp_path):
    project, python = git_project(tmp_path)
    job, good = act(project, python, "quick", fake_gh(tmp_path / "gh", allowed=True))
    assert not good
    assert job.outputs["steps.measure.outputs.exit-code"] == "5", job.log
    assert "::error title=accelbench::regressed" in job.log
    assert job.used == ["actions/upload-artifact@v4"]
    assert {case.options["note"] for path in find_records(project) for case in read_record(path).cases} == {"two words"}
    for name in ("check.xml", "check.json", "check.txt"):
        assert (project / "bench-results" / name).stat().st_size > 0
    assert "regressed" in (project / "github_step_summary.txt").read_text()
    assert not (tmp_path / "gh" / "asked").exists()


@pytest.mark.process
@pytest.mark.parametrize("allowed", [True, False])
def test_inconclusive_is_neutral_and_at_least_a_warning(tmp_path, allowed):
    project = tmp_path
    (project / "bench-results").mkdir()
    (project / "bench-results" / "check.txt").write_text("a table\n")
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    path = fake_gh(tmp_path / "gh", allowed)
    event = {"github.sha": "c0ffee", "steps.measure.outputs.exit-code": "3"}
    job = Job(project, environment(project) | {"PATH": path, "GITHUB_REPOSITORY": "owner/project"}, event)
    assert job.run(steps[-1:], {"results": "bench-results", "token": "t0ken"}), job.log
    asked = (tmp_path / "gh" / "asked").read_text().splitlines()
    assert {"repos/owner/project/check-runs", "head_sha=c0ffee", "conclusion=neutral"} <= set(asked)
    assert ("::warning title=accelbench::inconclusive" in job.log) == (not allowed)


def test_code_from_forks_gets_no_secrets_and_no_machine_of_ours():
    workflow = yaml.safe_load(PERFORMANCE.read_text())
    assert "pull_request_target" not in workflow[True]  # YAML 1.1 reads the key "on" as true
    assert "secrets." not in PERFORMANCE.read_text()
    assert {job["runs-on"] for job in workflow["jobs"].values()} == {"ubuntu-latest"}
    assert workflow["permissions"]["contents"] == "read"
