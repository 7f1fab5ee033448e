"""The documentation site builds without a warning, and its reference is that of the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import COMMANDS
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built pages."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_command_is_in_the_reference(site):
    page = (site / "commands" / "index.html").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"bench {name}" in page
    assert "--group-by" in page
    assert "bench results export" in page


def test_the_records_schema_is_there(site):
    page = (site / "record" / "index.html").read_text(encoding="utf-8")
    for word in ("idle_watts", "checks", "One thing to measure", "JSON schema"):
        assert word in page


def test_pages_load_nothing_from_elsewhere(site):
    page = (site / "index.html").read_text(encoding="utf-8")
    assert "fonts.googleapis" not in page
    assert not list(site.rglob("*.py"))
