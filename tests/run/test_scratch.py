"""What a killed run leaves in the folder for temporary files is swept by the next one, and nothing else is."""

from __future__ import annotations

import os

import pytest

from bench.run.lock import locked
from bench.run.scratch import PREFIX, owned, scratch, sweep, sweep_unowned


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("BENCH_LOCKS", str(tmp_path / "locks"))


def left(tmp_path, name, age=3600):
    """A folder with a file in it, whose process has gone."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").touch()
    then = folder.stat().st_mtime - age
    os.utime(folder, (then, then))
    return folder


def test_a_folder_is_there_while_it_is_used(tmp_path):
    with scratch() as folder:
        os.utime(folder, (0, 0))
        sweep()
        assert folder.is_dir()
        assert folder.parent == tmp_path
    assert not folder.exists()


def test_what_a_killed_run_has_left_goes_when_the_next_one_begins(tmp_path):
    folder = left(tmp_path, f"{PREFIX}0123abcd")
    with locked(["host"], wait=False):
        assert not folder.exists()


@pytest.mark.parametrize("name", ["bench-0123abcd", "accelbench-locks", "mine"])
def test_other_folders_stay(tmp_path, name):
    folder = left(tmp_path, name)
    sweep()
    assert (folder / "file").exists()


def test_what_is_new_another_users_or_no_folder_stays(tmp_path, monkeypatch):
    new, link = left(tmp_path, f"{PREFIX}new", age=0), tmp_path / f"{PREFIX}link"
    target = left(tmp_path, "target")
    link.symlink_to(target)
    sweep()
    assert new.exists()
    assert (target / "file").exists()
    old = left(tmp_path, f"{PREFIX}old")
    monkeypatch.setattr("os.getuid", lambda: 12345)
    sweep()
    assert old.exists()


def test_of_other_folders_those_without_an_owner_are_swept(tmp_path):
    places = [tmp_path / name for name in ("owned", "left", "young")]
    for place in places:
        place.mkdir()
        if place.name != "young":
            os.utime(place, (0, 0))
    with owned(places[0]):
        sweep_unowned(places)
        assert [place.exists() for place in places] == [True, False, True]
