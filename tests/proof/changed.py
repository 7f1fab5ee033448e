"""Copies of this repository with a change in a backend, each with an interpreter that runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.check.refs import environment_of

ROOT = Path(__file__).parents[2]


def changed_copy(folder: Path, subject: str, change: Callable[[Path], None]) -> tuple[str, Path]:
    """Clone the last commit into ``folder``, commit ``change`` on top; an interpreter that runs it, and its working tree.

    Raises CalledProcessError where git cannot, UsageError where no environment can be made.
    """
    _git(ROOT, "clone", "--quiet", str(ROOT), str(folder))
    change(folder)
    who = ["-c", "user.name=proof", "-c", "user.email=proof@example.org"]
    _git(folder, *who, "commit", "--quiet", "--all", "--message", subject, "--allow-empty")
    return environment_of("HEAD", folder, lambda text: print(text, file=sys.stderr))


def replaced(file: Path, before: str, after: str) -> None:
    """Change a line of a source file, which must be there."""
    text = file.read_text()
    assert text.count(before) == 1, f"{file.name} holds {before!r} {text.count(before)} times"
    file.write_text(text.replace(before, after))


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True)
