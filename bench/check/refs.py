"""A git ref's code: checked out, and over the packages installed here an environment of its own."""

from __future__ import annotations

import hashlib
import shutil
import sys
import sysconfig
import tomllib
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

import bench
from bench.check.commands import ended, run
from bench.check.environments import new_environment, packages_of
from bench.entry_points import GROUP, find_plugins
from bench.errors import NotComparableError, UsageError
from bench.run.folders import cache_folder, made
from bench.run.lock import held_aloud

READY = "ready"

DECLARING = ("pyproject.toml", "setup.py", "setup.cfg")
"""Files that make a folder a Python project."""

LISTS = ("*requirements*.txt", "*constraints*.txt", "*.lock")
"""Files in which projects write down what they need, beside their metadata."""


def environment_of(ref: str, folder: Path, say: Callable[[str], None]) -> tuple[str, Path]:
    """An interpreter that runs the code of ``ref`` of the repository around ``folder``, and where that code is checked out.

    A worktree, and a virtual environment that sees it first and then everything installed here. Kept in the cache, by commit. Raises
    UsageError, and NotComparableError where the ref's project needs other packages than those installed here.
    """
    top = repository(folder)
    commit = commit_of(top, ref)
    inside = project(folder, top).relative_to(top)
    _refuse_absent_plugins(top / inside)
    key = hashlib.sha256(f"{top} {inside} {commit} {sys.prefix} {sys.version}".encode()).hexdigest()[:12]
    place = made(cache_folder() / "refs", "cache", "BENCH_CACHE") / f"{top.name}-{commit[:12]}-{key}"
    tree, environment = place / top.name, place / "environment"
    python = environment / "bin" / "python"
    awaited = "bench: waiting for another check, which makes the same environment"
    with held_aloud(place.with_name(f"{place.name}.lock"), "BENCH_CACHE", lambda: awaited):
        missing = not (place / READY).exists()
        if missing:
            shutil.rmtree(place, ignore_errors=True)  # what a killed check has left of it
        forget_missing(top, place.parent)
        if missing:
            say(f"making an environment for {ref} ({commit[:12]}) …")
            place.mkdir(parents=True)
            check_out(top, commit, tree, ref, say)
            say("  making a virtual environment")
            pip = new_environment(environment)
            _see(environment, tree, inside, top)
            say("  installing the code of the ref into it")
            _install(pip, tree / inside, ref, say)
            _refuse_unmet(pip, packages_of(environment), ref)
            (place / READY).touch()
    _tell_lists(top, commit, ref, say)
    return str(python), tree


def forget_missing(top: Path, refs: Path) -> None:
    """Have git forget our worktrees whose folder has gone, with the cache or by hand; it keeps them entered in the repository."""
    trouble = "cannot tidy git's worktrees"
    for line in _git(top, "worktree", "list", "--porcelain", trouble=trouble).splitlines():
        tree = Path(line.removeprefix("worktree "))
        if line.startswith("worktree ") and refs.resolve() in tree.parents and not tree.exists():
            _git(top, "worktree", "remove", "--force", str(tree), trouble=trouble)


def repository(folder: Path) -> Path:
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


def commit_of(top: Path, ref: str) -> str:
    """The commit of a ref. Raises UsageError, with the remedy where the clone holds a part of the history only."""
    trouble = f"there is no git ref '{ref}' in {top.name}"
    try:
        return _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", trouble=trouble)
    except UsageError as error:
        if _git(top, "rev-parse", "--is-shallow-repository", trouble="cannot ask git") != "true":
            raise
        raise UsageError(
            f"{error}; the clone is shallow and lacks older commits and other branches: git fetch --unshallow, or in GitHub's "
            "actions/checkout fetch-depth: 0"
        ) from None


def project(folder: Path, top: Path) -> Path:
    """The Python project around ``folder``: the nearest one up to the repository's own folder, and that folder where there is none."""
    here = folder.resolve()
    inside = [place for place in (here, *here.parents) if place.is_relative_to(top)]
    return next((place for place in inside if any((place / name).is_file() for name in DECLARING)), top)


def _refuse_absent_plugins(project: Path) -> None:
    """Raises UsageError where the project has plugins that this environment, whose packages both sides get, does not know."""
    try:
        declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
        absent = sorted(set(declared) - {ref.name for ref in find_plugins()})
    except (OSError, ValueError, KeyError, TypeError):
        return  # no such file, or one that is for pip to judge
    if absent:
        raise UsageError(
            f"this project's plugin '{absent[0]}' is not installed in the environment that runs the check: pip install -e {project}, or let "
            "pip make both sides with --install '-e .'"
        )


def check_out(top: Path, commit: str, tree: Path, ref: str, say: Callable[[str], None]) -> None:
    """Make a worktree of a commit at ``tree``, with its submodules. Raises UsageError."""
    say(f"  checking out {commit[:12]}")
    _git(top, "worktree", "add", "--detach", str(tree), commit, trouble=f"cannot check out {ref}")
    if (tree / ".gitmodules").exists():
        say("  checking out its submodules")
        update = ["git", "-C", str(tree), "submodule", "update", "--init", "--recursive"]
        run(update, f"cannot check out the submodules of {ref}")


def _install(pip: list[str], project: Path, ref: str, say: Callable[[str], None]) -> None:
    """Built with what is installed here, without a network; where that lacks something, as pip does on its own.

    Raises UsageError."""
    install = [*pip, "install", "--quiet", "--no-deps", "-e", str(project)]
    try:
        run([*install, "--no-build-isolation", "--no-index"], f"cannot install {ref}")
    except UsageError as error:
        say("  installing it with pip's own build environment, which may need the network and minutes")
        try:
            run(install, f"cannot install {ref}")
        except UsageError:
            raise error from None


def _refuse_unmet(pip: list[str], packages: Path, ref: str) -> None:
    """Raises NotComparableError where the ref's project declares a need that the packages installed here do not meet."""
    _, output, _ = ended([*pip, "check"], "cannot ask pip what is missing")
    own = {str(one.metadata["Name"]).lower() for one in distributions(path=[str(packages)])}
    unmet = [line for line in output.splitlines() if line.split(" ")[0].lower() in own]
    if unmet:
        raise NotComparableError(
            f"the packages installed here are not those that {ref} needs: {unmet[0].rstrip('.')}; let pip make an environment for each side "
            "with --install, such as --install '-e .'"
        )


def _tell_lists(top: Path, commit: str, ref: str, say: Callable[[str], None]) -> None:
    """Say which lists of requirements the ref had otherwise: they play no part here."""
    patterns = [f":(glob)**/{pattern}" for pattern in LISTS]
    names = _git(top, "diff", "--name-only", commit, "--", *patterns, trouble="cannot ask git what differs").splitlines()
    if names:
        say(
            f"{', '.join(names)}: not the same at {ref}, and the packages installed here stand for both sides; --install gives each side "
            "its own"
        )


def _see(environment: Path, tree: Path, inside: Path, top: Path) -> None:
    """Put the ref's code first on the path, then what is installed here but for the repository's own code."""
    project = tree / inside
    here = [Path(entry).resolve() for entry in sys.path if entry and Path(entry).is_dir()]
    standard = Path(sysconfig.get_path("stdlib"))
    lines = [str(project / "src"), str(project)] if (project / "src").is_dir() else [str(project)]
    for entry in here:
        installed = entry.name in {"site-packages", "dist-packages"}
        if installed or not (entry in (standard, top) or standard in entry.parents or top in entry.parents):
            lines.append(str(entry))
    harness = Path(bench.__file__).resolve().parents[1]
    if harness != top / inside:  # an editable install of the harness is on no path of its own
        lines.append(str(harness))
    (packages_of(environment) / "bench_ref.pth").write_text("\n".join(lines) + "\n")


def _git(folder: Path, *words: str, trouble: str) -> str:
    return run(["git", "-C", str(folder), *words], trouble)
