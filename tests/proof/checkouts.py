"""Two states of this project side by side: the working tree and an earlier commit, each run by an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

BEFORE = "7168937"
"""The last commit before the rebuilding, which changes no figure, no table, no page and no exit code."""

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True)
class Checkout:
    """A folder with the project's code, and an interpreter that has what the code needs."""

    folder: Path
    python: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Variables for a process that runs this code and no other, whatever is installed for its interpreter."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**kept, "PYTHONPATH": str(self.folder), **more}

    def run(
        self, words: list[str], cwd: Path, variables: Mapping[str, str] | None = None, core: int | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the interpreter with these arguments, on one ``core`` only where it is given; ``cwd`` must not be a folder with code
        of this project."""
        pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
        return subprocess.run(
            [*pinned, str(self.python), *words],
            cwd=cwd,
            env=self.environment(**(variables or {})),
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def described(self) -> str:
        """The commit, and whether the folder holds changes that were not committed."""
        changed = " with uncommitted changes" if _git(self.folder, "status", "--porcelain", "--untracked-files=no") else ""
        return f"{_git(self.folder, 'log', '-1', '--format=%h %s')}{changed}"


def checkout_in(folder: Path) -> Checkout:
    """The project's code in ``folder`` with the virtual environment there, which the project's own Makefile makes if it is missing.

    Raises SystemExit where the environment runs other code, CalledProcessError where it cannot be made.
    """
    folder = folder.resolve()
    python = folder / ".venv" / "bin" / "python"
    if not python.exists():
        print(f"making {python.parents[1]} …", file=sys.stderr, flush=True)
        subprocess.run(["make", "--silent", ".venv/.run"], cwd=folder, check=True, stdout=sys.stderr)
    return _verified(Checkout(folder, python))


def checkout_of(commit: str) -> Checkout:
    """A git worktree of ``commit`` with an environment of its own, both kept in this project's virtual environment for next time.

    Raises as ``checkout_in``.
    """
    key = _git(ROOT, "rev-parse", "--verify", f"{commit}^{{commit}}")
    folder = ROOT / ".venv" / "before" / key[:12]
    if not folder.exists():
        _git(ROOT, "worktree", "prune")
        _git(ROOT, "worktree", "add", "--detach", str(folder), key)
    return checkout_in(folder)


def working_tree() -> Checkout:
    """The code around this file, run by the present interpreter. Raises SystemExit where that runs other code."""
    return _verified(Checkout(ROOT, Path(sys.executable)))


def _verified(checkout: Checkout) -> Checkout:
    done = checkout.run(["-c", "import bench; print(bench.__file__)"], cwd=Path("/"))
    found = done.stdout.decode().strip()
    if not found or checkout.folder not in Path(found).resolve().parents:
        raise SystemExit(f"{checkout.python} runs {found or 'no bench at all'}; expected the code in {checkout.folder}")
    return checkout


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()
