"""An environment for a git ref: its code checked out beside the repository, on top of the packages installed here."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import bench
from bench.errors import UsageError
from bench.files import held
from bench.run.folders import cache_folder, made

READY = "ready"


def environment_of(ref: str, folder: Path, say: Callable[[str], None]) -> tuple[str, Path]:
    """An interpreter that runs the code of ``ref`` of the repository around ``folder``, and where that code is checked out.

    A worktree, and a virtual environment that sees it first and then everything installed here: what the ref needs in other
    versions has to be installed by hand, and measured with ``--against``. Kept in the cache, by commit. Raises UsageError.
    """
    top = Path(_git(folder, "rev-parse", "--show-toplevel", trouble=f"{folder} is not in a git repository"))
    name = f"there is no git ref '{ref}' in {top.name}"
    commit = _git(top, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", trouble=name)
    key = hashlib.sha256(f"{top} {commit} {sys.prefix} {sys.version}".encode()).hexdigest()[:12]
    place = made(cache_folder() / "refs", "cache", "BENCH_CACHE") / f"{top.name}-{commit[:12]}-{key}"
    tree, environment = place / top.name, place / "environment"
    python = environment / "bin" / "python"
    with held(place.with_name(f"{place.name}.lock"), "BENCH_CACHE"):
        if not (place / READY).exists():
            say(f"making an environment for {ref} ({commit[:12]}) …")
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            _git(top, "worktree", "prune", trouble="cannot tidy git's worktrees")
            _git(top, "worktree", "add", "--detach", str(tree), commit, trouble=f"cannot check out {ref}")
            _run([sys.executable, "-m", "venv", str(environment)], f"cannot make a virtual environment for {ref}")
            _see(environment, tree, top)
            _install(python, tree, ref)
            (place / READY).touch()
    return str(python), tree


def _install(python: Path, tree: Path, ref: str) -> None:
    """Built with what is installed here, without a network; where that lacks something, as pip does on its own.

    Raises UsageError."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    if find_spec("setuptools") is not None:  # a new environment of Python 3.11 brings an old one, which would hide this one
        _run([*pip, "uninstall", "--quiet", "--yes", "setuptools"], "cannot use the setuptools installed here")
    install = [*pip, "install", "--quiet", "--no-deps", "-e", str(tree)]
    try:
        _run([*install, "--no-build-isolation", "--no-index"], f"cannot install {ref}")
    except UsageError as error:
        try:
            _run(install, f"cannot install {ref}")
        except UsageError:
            raise error from None


def _see(environment: Path, tree: Path, top: Path) -> None:
    """Put the ref's code first on the path, then what is installed here but for the repository's own code."""
    here = [Path(entry).resolve() for entry in sys.path if entry and Path(entry).is_dir()]
    standard = Path(sysconfig.get_path("stdlib"))
    lines = [str(tree / "src"), str(tree)] if (tree / "src").is_dir() else [str(tree)]
    for entry in here:
        installed = entry.name in {"site-packages", "dist-packages"}
        if installed or not (entry in (standard, top) or standard in entry.parents or top in entry.parents):
            lines.append(str(entry))
    harness = Path(bench.__file__).resolve().parents[1]
    if harness != top:  # an editable install of the harness is on no path of its own
        lines.append(str(harness))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (environment / "lib" / version / "site-packages" / "bench_ref.pth").write_text("\n".join(lines) + "\n")


def _git(folder: Path, *words: str, trouble: str) -> str:
    return _run(["git", "-C", str(folder), *words], trouble)


def _run(command: Sequence[str], trouble: str) -> str:
    """Standard output of a command. Raises UsageError with ``trouble`` and its last words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise UsageError(f"{trouble}: {command[0]} is not installed") from None
    if done.returncode != 0:
        raise UsageError(f"{trouble}{_telling(done.stderr or done.stdout)}")
    return done.stdout.strip()


def _telling(output: str) -> str:
    """The first line that names an error, or the last one."""
    lines = output.strip().splitlines()
    named = [line for line in lines if re.match(r"\s*(\w+Error|error|fatal):", line)]
    return f": {(named or lines[-1:])[0].strip()}" if lines else ""
