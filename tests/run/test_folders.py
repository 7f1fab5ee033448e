"""Where things are kept: homes that are missing, file systems without locks, folders that cannot be written."""

from __future__ import annotations

import errno
import os
import re
import stat
import warnings
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import pytest
from filelock import FileLock

from bench.entry_points import PluginRef
from bench.errors import BusyError, UsageError
from bench.files import held
from bench.run import folders, session
from bench.run.folders import KEY, cache_folder, check_makeable, lock_folder, made, salt_of
from bench.run.lock import held_aloud, locked
from bench.run.privacy import Scrub
from bench.worker.jobs import DataSpec
from tests.support import records as fake
from tests.support.site import bench
from tests.support.waiting import PATIENCE


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


def test_a_lock_that_a_file_stands_in_for_is_said(tmp_path, monkeypatch, capsys):
    acquire = FileLock._acquire

    def fall_back(self):
        warnings.warn("flock not supported on this filesystem, falling back to SoftFileLock", stacklevel=2)
        acquire(self)

    monkeypatch.setattr(FileLock, "_acquire", fall_back)
    with held(tmp_path / "lock", "TMPDIR") as mine:
        assert mine
    assert capsys.readouterr().err == (
        f"bench: the file system of {tmp_path} has no locks; a file that names its process is held instead\n"
    )


def test_other_refusals_of_a_lock_are_not_taken_for_that(tmp_path, monkeypatch):
    def refuse(self):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    with pytest.raises(OSError, match="Input/output"), held(tmp_path / "lock", "TMPDIR"):
        pass


def test_whoever_waits_is_told_for_what(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BENCH_LOCKS", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["/x/bench", "run", "--data", "/home/ann/skin", "--quick"])
    who = rf": process {os.getpid()}, 'bench run --data … --quick', since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
    with locked(["gpu:0"], wait=False):
        with pytest.raises(BusyError, match=f"measuring on gpu:0{who}; two would"), locked(["host", "gpu:0"], wait=False):
            pass
        asked = []

        @contextmanager
        def let_go(path, setting, wait=True):
            """The other run ends as soon as its waiter has spoken again."""
            asked.append(wait)
            while wait and " so far\n" not in "".join(said):
                said.append(capsys.readouterr().err)
            with held(tmp_path / "free" if wait else path, setting, wait) as mine:
                yield mine

        said = []
        monkeypatch.setattr("bench.run.lock.held", let_go)
        monkeypatch.setattr("bench.text.waiting.FIRST_SECONDS", 0.01)
        with locked(["gpu:0"], wait=True):
            assert asked == [False, True]
    first, second, *_ = "".join(said).splitlines()
    assert re.fullmatch(f"bench: waiting for another run, which is measuring on gpu:0{who} …", first)
    assert re.fullmatch(f"bench: waiting for another run, which is measuring on gpu:0{who}; .* so far", second)
    assert [*tmp_path.glob("*.holder")] == [], "a note goes with its lock"


def test_a_lock_of_the_cache_is_waited_for_aloud(tmp_path, monkeypatch, capsys):
    """As two checks that make one environment. The other lets go as soon as its waiter has been heard."""
    monkeypatch.setattr("bench.text.waiting.FIRST_SECONDS", 0.01)
    begun, heard = Event(), Event()

    def other_check():
        with held(tmp_path / "lock", "BENCH_CACHE"):
            begun.set()
            heard.wait(PATIENCE)

    def what():
        heard.set()
        return "bench: waiting for another check"

    other = Thread(target=other_check)
    other.start()
    assert begun.wait(PATIENCE)
    with held_aloud(tmp_path / "lock", "BENCH_CACHE", what):
        other.join()
    assert heard.is_set()


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"process":0,"began":1,"since":1,"command":""}',
        b'{"process":1,"began":1,"since":1e300,"command":"x"}',
    ],
)
def test_a_note_that_tells_nothing_true_is_not_repeated(tmp_path, monkeypatch, note):
    monkeypatch.setenv("BENCH_LOCKS", str(tmp_path))
    with locked(["gpu:0"], wait=False):
        (tmp_path / "gpu-0.holder").write_bytes(note)
        with pytest.raises(BusyError, match="measuring on gpu:0; two would"), locked(["gpu:0"], wait=False):
            pass


def test_a_note_is_never_written_through_a_link(tmp_path, monkeypatch):
    """As another user could leave one in the folder that all share, where nobody else may remove it."""
    monkeypatch.setenv("BENCH_LOCKS", str(tmp_path))
    (tmp_path / "mine").write_text("kept")
    with locked(["gpu:0"], wait=False):
        pass
    (tmp_path / "gpu-0.holder").symlink_to(tmp_path / "mine")
    monkeypatch.setattr(Path, "unlink", lambda *given, **named: None)
    with locked(["gpu:0"], wait=False):
        assert (tmp_path / "mine").read_text() == "kept"


def test_locks_lie_in_one_place_whatever_the_folder_for_temporary_files(tmp_path, monkeypatch):
    monkeypatch.delenv("BENCH_LOCKS", raising=False)
    monkeypatch.setattr(folders, "LOCKS", tmp_path / "locks")
    for number in range(2):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / f"of-user-{number}"))
        assert lock_folder() == tmp_path / "locks"
        assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o1777
        (tmp_path / "locks").chmod(0o755)  # as a run that was killed right after making it leaves it


def test_without_such_a_place_the_other_one_is_said_with_the_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("BENCH_LOCKS", raising=False)
    monkeypatch.setattr(folders, "LOCKS", tmp_path / "missing" / "locks")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert lock_folder() == tmp_path / "locks"
    assert capsys.readouterr().err == (
        f"bench: locks lie in {tmp_path}/locks, since {tmp_path}/missing/locks cannot be made (No such file or directory); runs with "
        "another TMPDIR, or of other users, do not see them: name one folder for all users of this machine with BENCH_LOCKS\n"
    )


@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_a_place_for_locks_that_is_closed_names_owner_and_remedy(tmp_path, monkeypatch, what):
    monkeypatch.delenv("BENCH_LOCKS", raising=False)
    place = tmp_path / "locks"
    {"folder": place.mkdir, "file": place.touch, "link": lambda: place.symlink_to(tmp_path)}[what]()
    monkeypatch.setattr(folders, "LOCKS", place)
    monkeypatch.setattr("os.getuid", lambda: 12345)
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UsageError, match=rf"^{place} .* belongs to the user \w+ and is closed to you; .* BENCH_LOCKS$"):
        lock_folder()


def test_a_lock_that_is_closed_names_owner_and_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_LOCKS", str(tmp_path))
    (tmp_path / "host.lock").touch()

    def refuse(self):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    with pytest.raises(UsageError, match=r"^.*/host\.lock .* 'chmod 666' a lock"), locked(["host"], wait=False):
        pass


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--dry-run"],
        ["run"],
        ["check", "--against", "x"],
        ["reproduce", "x"],
        ["forecast-check"],
    ],
)
def test_results_that_could_not_be_written_are_refused_at_once(tmp_path, monkeypatch, words):
    (tmp_path / "file").touch()
    monkeypatch.setattr("bench.run.process.subprocess.Popen", None)  # no worker is asked
    done = bench([*words, "-o", "file/inside"], tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"bench: cannot write to the results folder file/inside: {tmp_path / 'file'} is no folder; name another one with --output\n"
    )


def test_a_folder_that_can_be_made_is_not_made_by_asking(tmp_path, monkeypatch):
    check_makeable(tmp_path / "a" / "b", "results", "--output")
    assert not (tmp_path / "a").exists()
    monkeypatch.setattr("os.access", lambda place, mode: False)  # a root that can only be read
    with pytest.raises(UsageError, match=f"{tmp_path} is not writable; name another one with --output"):
        check_makeable(tmp_path / "a" / "b", "results", "--output")


def test_a_report_that_could_not_be_written_is_refused_before_records_are_read(tmp_path):
    for words in (["report", "nowhere", "-o", "gone/page.html"], ["compare", "nowhere", "nowhere", "-o", "gone/page.json"]):
        done = bench(words, tmp_path)
        assert done.returncode == 2
        assert "its folder is not there" in done.stderr


@pytest.mark.process
def test_a_dry_run_refuses_images_that_the_run_would_refuse(tmp_path):
    """Nothing is decoded for it."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.txt").write_text("no image")
    plugin = PluginRef("melanoma", "workloads.melanoma", "accelbench")
    case = SimpleNamespace(case=fake.train(facts=fake.TINY), workload=plugin)
    plan = SimpleNamespace(data=DataSpec(path=str(tmp_path / "images")), cases=[case], stall=600.0)
    with pytest.raises(UsageError, match="images"):
        session.look_at_images(plan, print)
    plan.data = DataSpec()
    session.look_at_images(plan, print)  # synthetic images can always be made


def test_a_results_folder_has_one_salt_and_others_have_others(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "results").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "results")
    salt = salt_of(tmp_path / "results")
    assert re.fullmatch(r"[0-9a-f]{32}", salt)
    assert salt == salt_of(tmp_path / "results") == salt_of(tmp_path / "link")
    assert salt != salt_of(tmp_path / "others")
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "results", "link"}, (
        "a run that is refused makes no folder"
    )
    assert stat.S_IMODE((tmp_path / "cache" / KEY).stat().st_mode) == 0o600
    (tmp_path / "cache" / KEY).write_bytes(b"\xff torn")
    assert salt_of(tmp_path / "results") == salt_of(tmp_path / "results") != salt, "another user's key is another"


def test_a_first_run_takes_the_key_that_another_has_just_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    salt, looked = salt_of(tmp_path / "results"), folders._key_at
    answers = iter([lambda place: None, looked])  # there was none yet at the first look
    monkeypatch.setattr(folders, "_key_at", lambda place: next(answers)(place))
    monkeypatch.setattr(Path, "is_file", lambda place: False)
    assert salt_of(tmp_path / "results") == salt
    assert [path.name for path in tmp_path.iterdir()] == [KEY]


def test_a_key_that_cannot_be_kept_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    (tmp_path / KEY).mkdir()
    with pytest.raises(
        UsageError, match=r"^cannot keep the key of hashed names in .*salt.key: Is a directory; name another"
    ):
        salt_of(tmp_path / "results")
