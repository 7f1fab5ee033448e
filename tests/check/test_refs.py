"""Refs that a checkout cannot give, and commands that take long."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from contextlib import contextmanager

import psutil
import pytest

from bench.check import commands, refs
from bench.errors import UsageError
from bench.run import cache
from tests.support.project import git
from tests.support.waiting import wait_for

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository of two commits."""
    folder = tmp_path_factory.mktemp("origin")
    git(folder, "init")
    for number in range(2):
        (folder / "file").write_text(str(number))
        git(folder, "add", "-A")
        git(folder, "commit", "-m", str(number))
    return folder


def test_a_shallow_clone_is_named_with_its_remedy(origin, tmp_path):
    git(tmp_path, "clone", "--depth", "1", f"file://{origin}", "clone")
    clone = tmp_path / "clone"
    assert refs.commit_of(clone, "HEAD")
    with pytest.raises(
        UsageError, match=r"^there is no git ref 'HEAD~1' in clone; the clone is shallow .* --unshallow, .* fetch-depth: 0$"
    ):
        refs.commit_of(clone, "HEAD~1")
    with pytest.raises(UsageError, match=r"^there is no git ref 'nowhere' in [^;]*$"):
        refs.commit_of(origin, "nowhere")


def test_a_checkout_of_another_owner_is_named_with_its_remedy(origin, monkeypatch):
    assert refs.repository(origin) == origin
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its own tests
    with pytest.raises(UsageError, match=f"belongs to another user.* git config --global --add safe.directory {origin}$"):
        refs.repository(origin)


def entered(repository):
    """How many worktrees the repository knows beside itself."""
    return refs._git(repository, "worktree", "list", trouble="").count("\n")


def test_worktrees_that_have_gone_are_forgotten_and_others_are_not(origin, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_LOCKS", str(tmp_path / "locks"))
    place = tmp_path / "cache" / "refs"
    for tree in (place / "a" / "origin", place / "b" / "origin", tmp_path / "mine"):
        git(origin, "worktree", "add", "--detach", tree, "HEAD")
    shutil.rmtree(place / "a")
    (tmp_path / "mine").rename(tmp_path / "on another disk")
    assert entered(origin) == 3
    refs.forget_missing(origin, place)
    assert entered(origin) == 2, "the user's own stays"
    assert [entry.kind for entry in cache.clear(tmp_path / "cache", ["refs"])] == ["refs"]
    assert entered(origin) == 1
    assert not place.exists()
    git(origin, "worktree", "prune")


@pytest.mark.parametrize(
    ("text", "refused"), [('[project.entry-points.bench]\nmoles = "moles"\n', True), ("[project]\n", False), ("[", False)]
)
def test_a_project_whose_plugin_is_not_installed_is_refused_before_anything_is_made(tmp_path, text, refused):
    (tmp_path / "pyproject.toml").write_text(text)
    if not refused:
        refs._refuse_absent_plugins(tmp_path)
        return
    with pytest.raises(
        UsageError, match=f"plugin 'moles' is not installed .*: pip install -e {tmp_path}, or .* --install '-e .'"
    ):
        refs._refuse_absent_plugins(tmp_path)


def test_a_folder_without_a_repository_has_no_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="is not in a git repository: fatal: not a git repository"):
        refs.repository(tmp_path)


def test_a_command_that_takes_long_is_not_silent_and_hears_of_no_secret(monkeypatch, tmp_path):
    """It ends when it has been heard of, however slow this machine is."""
    heard = tmp_path / "heard"

    @contextmanager
    def told(what):
        heard.write_text(what())
        yield

    monkeypatch.setattr(commands, "told", told)
    monkeypatch.setenv("GITHUB_TOKEN", "s")
    program = f"import os; print(os.path.exists({str(heard)!r}), 'GITHUB_TOKEN' in os.environ)"
    assert commands.run([sys.executable, "-c", program], "trouble") == "True False"
    pip = ["/a/python", "-P", "-m", "pip", "--python", "/b/python", "install", "--quiet", "."]
    for command, name in (
        (["git", "-C", "/top", "worktree", "add", "--detach", "/a"], "git worktree add"),
        (pip, "pip install"),
    ):
        assert commands._named(command) == name
    with pytest.raises(UsageError, match=r"^trouble: ValueError: no$"):
        commands.run([sys.executable, "-c", "raise ValueError('no')"], "trouble")


def test_what_a_command_started_ends_with_it(tmp_path):
    """As with pip, which starts processes of its own."""
    number = tmp_path / "number"
    program = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(6000)'])\n"
        f"place = pathlib.Path({str(number)!r})\n"
        "place.with_suffix('.new').write_text(str(child.pid))\n"
        "place.with_suffix('.new').rename(place)\n"
        "time.sleep(6000)\n"
    )

    def interrupt():
        wait_for(number.exists)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        commands.run([sys.executable, "-c", program], "trouble")
    thread.join()
    wait_for(lambda: not is_running(int(number.read_text())))


def is_running(number):
    """Whether a process is there and has not ended; one that nobody waited for has ended too."""
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
