"""README and docs name commands, options and files that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from bench.cli import bench
from bench.machine.environment import PASS
from bench.record.web import LARGEST
from bench.run.folders import KEY
from bench.run.process import LOG_TAIL

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[tuple[str, str]]:
    found = []
    for document in DOCUMENTS:
        for line in document.read_text().splitlines():
            # An indented or `inline` command; two or more blanks end it, a comment follows.
            for text in re.findall(r"^ {4}(bench [^|]*)", line) + re.findall(r"`(bench [^`]*)`", line):
                found.append((document.name, re.split(r" {2,}|\s+#", text.strip())[0]))
    return found


@pytest.mark.parametrize(("document", "text"), commands())
def test_each_command_in_the_documents_parses(document, text, tmp_path, monkeypatch):
    (tmp_path / "plan.toml").write_text("[run]\n")
    monkeypatch.chdir(tmp_path)
    words = shlex.split(text.replace("…", ""))[1:]
    if not words or words[0].startswith("-"):
        return
    name, *arguments = words
    command = bench.get_command(click.Context(bench), name)
    assert command is not None, f"{document}: no command {name}"
    if "--help" not in arguments:
        command.make_context(name, arguments, parent=click.Context(bench))


GENERATED = {"commands.md", "record.md", "cheats.md"}  # made when the site is built; tests/test_site.py looks at them


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_link_to_a_file_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target and target not in GENERATED:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_make_targets_in_the_documents_exist():
    makefile = (ROOT / "Makefile").read_text()
    for document in DOCUMENTS:
        for target in re.findall(r"(?:`|^ {4})make ([a-z-]+)", document.read_text(), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document.name}: make {target}"


def test_the_trust_model_gives_the_limits_of_the_code():
    text = (ROOT / "SECURITY.md").read_text()
    for words in (
        f"{LARGEST // 2**20} MiB",
        f"the last {LOG_TAIL:,} characters",
        f"`{PASS}`",
        f"`{KEY}`",
        "`logs/environment.log`",
    ):
        assert words in text


def test_each_test_that_the_table_of_faults_names_is_there():
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", (ROOT / "tests" / "README.md").read_text())
    assert named
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(), f"{file} has no {test}"
