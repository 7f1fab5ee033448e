"""What ``bench cache`` shows and clears, and what it leaves alone."""

from __future__ import annotations

import errno
import json
import os

import pytest

from bench.cli.cache import KINDS
from bench.errors import BusyError, DataError
from bench.files import held
from bench.run import cache
from bench.run.folders import KEY, lock_folder
from bench.worker import prepare
from tests.support.site import bench, move_in

IMAGES = "melanoma-tiny-3403821c0d4ed149"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    move_in(monkeypatch, tmp_path)
    folder = tmp_path / "cache"
    for name in (IMAGES, f"{IMAGES[:-1]}8.part", "jpeg-0", "ceilings", "logs", "refs", "photos", "a-b-0000000000000000"):
        (folder / name).mkdir(parents=True)
        (folder / name / "images.npy").write_bytes(bytes(8192))
    (folder / IMAGES / "facts.json").write_text("{}")
    (folder / f"{IMAGES}.lock").touch()
    (folder / "thesis.txt").write_text("mine")
    (folder / KEY).write_text("0" * 64)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


FOREIGN = ["a-b-0000000000000000", "photos", "thesis.txt"]


def test_it_shows_sizes_by_kind_and_names_what_is_not_ours(folder, tmp_path):
    before = names(folder)
    done = bench(["cache"], tmp_path)
    assert done.returncode == 0
    first, *lines = done.stdout.splitlines()
    assert first == str(folder)
    assert [line.split()[0] for line in lines] == [*KINDS, "total"]
    assert all("MiB" in line for line in lines)
    assert done.stderr == f"bench: not of accelbench, and left alone: {', '.join(FOREIGN)}\n"
    assert names(folder) == before


def test_it_clears_one_kind(folder, tmp_path):
    done = bench(["cache", "--clear", "--kind", "images", "--format", "json"], tmp_path)
    told = json.loads(done.stdout)
    gone = [f"{IMAGES[:-1]}8.part", IMAGES, f"{IMAGES}.lock"]
    assert [entry["path"].rpartition("/")[2] for entry in told["entries"]] == gone
    assert sum(entry["bytes"] for entry in told["entries"]) >= 2 * 8192
    assert names(folder) == sorted([*FOREIGN, "ceilings", "jpeg-0", "logs", "refs", KEY])


def test_it_clears_everything_of_ours_and_nothing_else(folder, tmp_path):
    assert bench(["cache", "--clear"], tmp_path).returncode == 0
    assert names(folder) == sorted([*FOREIGN, KEY]), "the same key could not be made again"
    assert bench(["cache", "--clear", "--kind", "key"], tmp_path).returncode == 0
    assert names(folder) == FOREIGN
    assert bench(["cache"], tmp_path).stdout.splitlines()[1:] == ["  total      0.0 MiB"]


def test_a_cache_that_is_not_there_is_empty_and_not_made(tmp_path):
    assert bench(["cache"], tmp_path).stdout.splitlines() == [str(tmp_path / "cache"), "  total      0.0 MiB"]
    assert not (tmp_path / "cache").exists()


def test_nothing_goes_while_a_run_measures(folder):
    before = names(folder)
    with held(lock_folder() / "gpu-0.lock", "BENCH_LOCKS"), pytest.raises(BusyError, match="measuring on gpu-0"):
        cache.clear(folder, KINDS)
    assert names(folder) == before


def test_the_command_lists_every_kind():
    assert tuple(cache.KINDS) == KINDS


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_cache_that_fills_up_is_said_with_its_variable(tmp_path, number):
    with (
        pytest.raises(DataError, match=f"^the cache {tmp_path} is full .* or choose another folder with BENCH_CACHE$"),
        prepare._full_disk_named(tmp_path),
    ):
        raise OSError(number, os.strerror(number))


def test_room_for_images_is_taken_before_they_are_written(tmp_path, monkeypatch):
    """Through a map, a disk without room ends the process."""
    file = tmp_path / "images.npy"
    file.touch()
    os.truncate(file, 2**20)
    assert file.stat().st_blocks == 0
    prepare._allocate(file)
    assert file.stat().st_blocks * 512 >= 2**20

    def refuse(*given):
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    refusal = errno.EOPNOTSUPP
    prepare._allocate(file)
    refusal = errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        prepare._allocate(file)
