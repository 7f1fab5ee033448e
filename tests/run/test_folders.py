"""Where things are kept: homes that are missing, file systems without locks, folders that cannot be written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from filelock import FileLock

from bench.errors import BusyError, UsageError
from bench.files import held
from bench.run.folders import cache_folder, made
from bench.run.lock import locked
from bench.run.privacy import Scrub
from bench.worker.jobs import DataSpec


@pytest.fixture
def homeless(monkeypatch):
    """A user without HOME and without an entry in the password file, as ``docker run --user 12345`` makes one."""

    def fail(*given):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", fail)
    for name in ("HOME", "XDG_CACHE_HOME", "BENCH_CACHE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("homeless")
def test_a_named_cache_is_enough_without_a_home(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("BENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "accelbench"
    assert Scrub(DataSpec()).text("a word") == "a word"


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_variable_that_names_a_cache_is_named():
    with pytest.raises(UsageError, match=r"no home folder .* HOME is not set.*; name a folder with BENCH_CACHE$"):
        cache_folder()


def test_a_folder_that_cannot_be_written_names_what_names_another(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=r"cannot write to the cache folder .*file/inside: .*; name another one with BENCH_CACHE"
    ):
        made(tmp_path / "file" / "inside", "cache", "BENCH_CACHE")


@pytest.mark.parametrize(
    "refusal",
    [NotImplementedError("FileSystem does not appear to support flock"), OSError(errno.ENOLCK, "No locks available")],
    ids=["ENOSYS", "ENOLCK"],
)
def test_a_file_system_without_locks_is_one_sentence(tmp_path, monkeypatch, refusal):
    def refuse(self):
        raise refusal

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    with (
        pytest.raises(UsageError, match=f"^the file system of {tmp_path} has no locks.* on a local disk with TMPDIR$"),
        held(tmp_path / "lock", "TMPDIR"),
    ):
        pass


def test_other_refusals_of_a_lock_are_not_taken_for_that(tmp_path, monkeypatch):
    def refuse(self):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    with pytest.raises(OSError, match="Input/output"), held(tmp_path / "lock", "TMPDIR"):
        pass


def test_whoever_waits_is_told_for_what(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with locked(["gpu:0"], wait=False):
        with pytest.raises(BusyError, match="measuring on gpu:0"), locked(["host", "gpu:0"], wait=False):
            pass
        asked = []

        def let_go(path, setting, wait=True):  # the other run ends as soon as somebody waits for it
            asked.append(wait)
            return held(tmp_path / "free" if wait else path, setting, wait)

        monkeypatch.setattr("bench.run.lock.held", let_go)
        with locked(["gpu:0"], wait=True):
            assert asked == [False, True]
    assert capsys.readouterr().err == "bench: waiting for another run, which is measuring on gpu:0 …\n"
