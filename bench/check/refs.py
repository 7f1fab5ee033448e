"""An environment for a git ref: its code checked out beside the repository, on top of the packages installed here."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import bench
from bench.errors import UsageError
from bench.files import held
from bench.run.folders import cache_folder, made

READY = "ready"

SILENCE_SECONDS = 10.0
"""How long a command may run before the user hears of it again."""


def environment_of(ref: str, folder: Path, say: Callable[[str], None]) -> tuple[str, Path]:
    """An interpreter that runs the code of ``ref`` of the repository around ``folder``, and where that code is checked out.

    A worktree, and a virtual environment that sees it first and then everything installed here: what the ref needs in other
    versions has to be installed by hand, and measured with ``--against``. Kept in the cache, by commit. Raises UsageError.
    """
    top = _top(folder)
    commit = _commit(top, ref)
    key = hashlib.sha256(f"{top} {commit} {sys.prefix} {sys.version}".encode()).hexdigest()[:12]
    place = made(cache_folder() / "refs", "cache", "BENCH_CACHE") / f"{top.name}-{commit[:12]}-{key}"
    tree, environment = place / top.name, place / "environment"
    python = environment / "bin" / "python"
    with held(place.with_name(f"{place.name}.lock"), "BENCH_CACHE"):
        if not (place / READY).exists():
            say(f"making an environment for {ref} ({commit[:12]}) …")
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            say(f"  checking out {commit[:12]}")
            _git(top, "worktree", "prune", trouble="cannot tidy git's worktrees")
            _git(top, "worktree", "add", "--detach", str(tree), commit, trouble=f"cannot check out {ref}")
            say("  making a virtual environment")
            _run([sys.executable, "-m", "venv", str(environment)], f"cannot make a virtual environment for {ref}", say)
            _see(environment, tree, top)
            say("  installing the code of the ref into it")
            _install(python, tree, ref, say)
            (place / READY).touch()
    return str(python), tree


def _top(folder: Path) -> Path:
    """The repository's folder. Raises UsageError, with git's remedy where the checkout belongs to another user."""
    try:
        return Path(_git(folder, "rev-parse", "--show-toplevel", trouble=f"{folder} is not in a git repository"))
    except UsageError as error:
        if "dubious ownership" not in str(error):
            raise
        raise UsageError(
            f"git does not trust the repository at {folder}, which belongs to another user, as in a container; where you do: git config "
            f"--global --add safe.directory {folder}"
        ) from None


def _commit(top: Path, ref: str) -> str:
    """The commit of a ref. Raises UsageError, with the remedy where the clone holds a part of the history only."""
    try:
        return _git(
            top,
            "rev-parse",
            "--verify",
            "--quiet",
            f"{ref}^{{commit}}",
            trouble=f"there is no git ref '{ref}' in {top.name}",
        )
    except UsageError as error:
        if _git(top, "rev-parse", "--is-shallow-repository", trouble="cannot ask git") != "true":
            raise
        raise UsageError(
            f"{error}; the clone is shallow and lacks older commits and other branches: git fetch --unshallow, or in GitHub's "
            "actions/checkout fetch-depth: 0"
        ) from None


def _install(python: Path, tree: Path, ref: str, say: Callable[[str], None]) -> None:
    """Built with what is installed here, without a network; where that lacks something, as pip does on its own.

    Raises UsageError."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    if find_spec("setuptools") is not None:  # a new environment of Python 3.11 brings an old one, which would hide this one
        _run([*pip, "uninstall", "--quiet", "--yes", "setuptools"], "cannot use the setuptools installed here")
    install = [*pip, "install", "--quiet", "--no-deps", "-e", str(tree)]
    try:
        _run([*install, "--no-build-isolation", "--no-index"], f"cannot install {ref}", say)
    except UsageError as error:
        say("  installing it with pip's own build environment, which may need the network and minutes")
        try:
            _run(install, f"cannot install {ref}", say)
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


def _run(command: Sequence[str], trouble: str, say: Callable[[str], None] | None = None) -> str:
    """Return the standard output of a command; ``say`` hears every ten seconds that it still runs.

    Raises UsageError with ``trouble`` and the command's last words. Those are git's and pip's English ones: remedies are found by them.
    """
    own, begun = os.environ | {"LC_ALL": "C.UTF-8"}, time.monotonic()
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, stdin=subprocess.DEVNULL, env=own)
    except FileNotFoundError:
        raise UsageError(f"{trouble}: {command[0]} is not installed") from None
    with process:
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=SILENCE_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    if say is not None:
                        say(f"  still at it after {time.monotonic() - begun:.0f} s")
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise UsageError(f"{trouble}{_telling(errors or output)}")
    return output.strip()


def _telling(output: str) -> str:
    """The first line that names an error, or the last one."""
    lines = output.strip().splitlines()
    named = [line for line in lines if re.match(r"\s*(\w+Error|error|fatal):", line)]
    return f": {(named or lines[-1:])[0].strip()}" if lines else ""
