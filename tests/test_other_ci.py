"""The jobs for GitLab and Jenkins that the documents hold: their shell is run as it is written, with a stand-in for pip."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import pytest
import yaml

from bench.cli.check import command as check
from tests.support.project import git
from tests.support.workflow import ROOT

TEXT = (ROOT / "docs" / "continuous-integration.md").read_text()
GITLAB = yaml.safe_load(re.findall(r"^```yaml\n(speed:\n.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[0])["speed"]
(JENKINS,) = re.findall(r"^```groovy\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
(JENKINS_SHELL,) = re.findall(r"'''\n(.*?)'''", JENKINS, re.DOTALL)

PYTHON = """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exit 99
mkdir -p "$3/bin"
printf '#!/bin/sh\\n[ "$1" = install ]\\n' > "$3/bin/pip"
printf '#!/bin/sh\\nprintf "%%s\\\\n" "$@" > asked\\nexit "$CODE"\\n' > "$3/bin/bench"
chmod +x "$3/bin/pip" "$3/bin/bench"
"""
"""A Python whose virtual environments hold a ``bench`` that keeps its words and ends as it is told."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with a branch that left ``main``, and a PATH with the stand-in."""
    folder = tmp_path_factory.mktemp("jobs")
    origin, tools = folder / "origin", folder / "tools"
    for place in (origin, tools):
        place.mkdir()
    git(origin, "init")
    git(origin, "commit", "--allow-empty", "-m", "base")
    git(folder, "clone", str(origin), "clone")
    git(folder / "clone", "commit", "--allow-empty", "-m", "change")
    git(origin, "commit", "--allow-empty", "-m", "later")
    for name in ("python", "python3"):
        (tools / name).write_text(PYTHON)
        (tools / name).chmod(0o755)
    return folder / "clone", os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}


def asked(folder):
    """The options of ``bench check`` that a job gave, as the command reads them."""
    name, *words = (folder / "asked").read_text().splitlines()
    assert name == "check"
    return check.make_context("check", words).params


@pytest.mark.process
@pytest.mark.parametrize("code", [0, 2, 3, 4, 5])
def test_gitlabs_script_ends_as_the_check_does(clone, tmp_path, code):
    folder, variables = clone
    script = "\n".join(GITLAB["script"]).replace("/tmp/", f"{tmp_path}/")
    own = {"CI_PROJECT_DIR": str(folder), "CI_JOB_ID": "7", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "c0ffee", "SIZE": "tiny"}
    names = variables | own | {"CODE": str(code)}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], cwd=folder, env=names, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    found = asked(folder)
    assert found["against_ref"] == "c0ffee"
    assert found["installs"] == ("-e . -r requirements.txt",)
    assert found["sizes"] == ("tiny",)
    assert str(found["junit"]) == GITLAB["artifacts"]["reports"]["junit"]


def test_only_records_and_tables_are_published():
    archived = re.search(r"artifacts: '(.*)'", JENKINS)
    assert archived is not None
    for patterns in (GITLAB["artifacts"]["paths"], archived[1].split(", ")):
        (records,) = [one for one in patterns if one.startswith("bench-results")]
        assert records == "bench-results/**/record.json"
        assert all(one.startswith("check.") for one in patterns if one != records)


def test_gitlab_takes_inconclusive_alone_for_a_warning():
    assert GITLAB["allow_failure"]["exit_codes"] == [3]
    assert GITLAB["variables"]["GIT_DEPTH"] == "0"
    assert GITLAB["artifacts"]["when"] == "always"


@pytest.mark.process
@pytest.mark.parametrize("code", [0, 2, 3, 4, 5])
def test_jenkins_shell_ends_as_the_check_does(clone, tmp_path, code):
    folder, variables = clone
    base = subprocess.check_output(["git", "rev-parse", "HEAD~1"], cwd=folder, text=True).strip()
    names = variables | {"CHANGE_TARGET": "main", "WORKSPACE_TMP": str(tmp_path), "CODE": str(code)}
    shell = JENKINS_SHELL.replace("\\\n", "")  # Groovy joins the lines itself
    assert "\\" not in shell, "Groovy would take a backslash for its own"
    done = subprocess.run(["sh", "-xe", "-c", shell], cwd=folder, env=names, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    found = asked(folder)
    assert found["against_ref"] == base
    assert shlex.split(found["installs"][0]) == ["-e", ".", "-r", "requirements.txt"]


def test_jenkins_tells_the_exit_codes_apart():
    assert re.search(r"if \(code == 3\) \{\s+unstable\(", JENKINS)
    assert re.search(r"else if \(code != 0\) \{\s+error\(", JENKINS)
    assert JENKINS.count("{") == JENKINS.count("}")
    assert JENKINS.count("(") == JENKINS.count(")")
