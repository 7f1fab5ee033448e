"""What Prepare leaves in the cache, which runs share."""

from __future__ import annotations

import io
import os
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from bench.errors import DataError, PluginError
from bench.files import held
from bench.worker import kept
from bench.worker import prepare as module
from bench.worker.channel import Channel
from bench.worker.feed import image_files, load_arrays, load_calibrated, load_split
from bench.worker.jobs import DataSpec, PluginRef, Prepare
from bench.worker.kept import ARRAYS, FACTS, damage
from tests.support.misbehaving import Dots, workload
from tests.support.waiting import PATIENCE


class OnDisk(Dots):
    """Dots that are files too."""

    def files(self, request, folder):
        return [folder / "a.jpg", folder / "b.jpg"]

    def decode(self, file, height, width):
        return np.zeros((height, width, 3), np.uint8), height * width


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """Prepare in one cache, with a reader and with or without the wish for files."""

    def make(reader, files):
        monkeypatch.setattr(module, "find_workload", lambda *_: workload(data=reader))
        job = Prepare(
            plugin=PluginRef("dots", "dots"), workload="dots", size="small", data=DataSpec(count=40), cache=str(tmp_path), files=files
        )  # fmt: skip
        return module.prepare(job, Channel(os.open(os.devnull, os.O_WRONLY)))

    return make


@pytest.mark.parametrize(("reader", "wanted"), [(OnDisk(), False), (Dots(), True)])
def test_a_run_without_files_leaves_the_list_of_a_run_beside_it(prepared, reader, wanted):
    """Both have the same images, and so the same folder: the list was emptied while the other run's trials still came."""
    first = prepared(OnDisk(), True)
    second = prepared(reader, wanted)
    assert (first.files, second.files) == (2, 0)
    assert first.folder == second.folder
    assert [file.name for file in image_files(Path(first.folder))] == ["a.jpg", "b.jpg"]


def test_images_that_another_run_prepares_are_waited_for_aloud_and_alive(prepared, tmp_path, monkeypatch):
    """The other run is done as soon as its waiter has said so and given a sign of life."""
    folder = Path(prepared(Dots(), False).folder)
    heard: list[str] = []
    begun, waited = Event(), Event()

    def other_run() -> None:
        with held(folder.with_name(f"{folder.name}.lock"), "BENCH_CACHE"):
            begun.set()
            waited.wait(PATIENCE)

    monkeypatch.setattr(Channel, "beat", lambda self, done, total=0.0, text="": heard.append(text))
    monkeypatch.setattr(Channel, "alive", lambda self: waited.set())
    other = Thread(target=other_run)
    other.start()
    assert begun.wait(PATIENCE)
    assert prepared(Dots(), False).folder == str(folder)
    other.join()
    assert heard == ["another run prepares the same images, and is waited for"]


def truncate(file):
    os.truncate(file, file.stat().st_size - 1)


def fill_with_zeros(file):
    """As after a power failure: the length is right, and nothing else."""
    file.write_bytes(file.read_bytes()[:200].ljust(file.stat().st_size, b"\0"))


def turn_a_bit(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("spoil", [truncate, fill_with_zeros, turn_a_bit, Path.unlink, lambda file: file.write_bytes(b"")])
@pytest.mark.parametrize("name", [*ARRAYS, FACTS])
def test_damaged_arrays_are_made_anew_and_whole_ones_are_kept(prepared, name, spoil):
    folder = Path(prepared(Dots(), False).folder)
    before = {array: (folder / array).read_bytes() for array in ARRAYS}
    spoil(folder / name)
    assert Path(prepared(Dots(), False).folder) == folder
    assert damage(folder) == ""
    assert np.array_equal(np.load(folder / "images.npy"), np.load(io.BytesIO(before["images.npy"])))
    made = (folder / "images.npy").stat().st_mtime_ns
    prepared(Dots(), False)
    assert (folder / "images.npy").stat().st_mtime_ns == made


def test_of_a_file_of_many_chunks_some_are_read_each_time(prepared, monkeypatch):
    monkeypatch.setattr(kept, "CHUNK", 100)
    folder = Path(prepared(Dots(), False).folder)
    monkeypatch.setattr(kept, "MOST_CHUNKS", 2)
    assert damage(folder) == ""
    truncate(folder / "images.npy")
    assert damage(folder) == "images.npy has 7,807 bytes and had 7,808"


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "split.npy", "calibrated.npz"])
@pytest.mark.parametrize("spoil", [Path.unlink, truncate, lambda file: file.write_bytes(b"\x80\x04N.")])
def test_arrays_that_are_damaged_during_a_run_are_one_sentence(prepared, name, spoil):
    folder = Path(prepared(Dots(), False).folder)
    spoil(folder / name)
    with pytest.raises(DataError, match=rf"^the decoded images in {folder} cannot be read \(.*\); a new run decodes them"):
        load_arrays(folder), load_split(folder), load_calibrated(folder)


class Wrong(Dots):
    def open(self, request, height, width):
        return [1]


def test_an_answer_of_the_wrong_type_names_plugin_and_workload(prepared):
    with pytest.raises(
        PluginError, match=r"^plugin 'dots' \(dots\), workload 'dots': open\(\) gave a list, expected an ImageSet$"
    ):
        prepared(Wrong(), False)


@pytest.mark.parametrize("listed", [None, "[]", '["a.jp', "5"])
def test_a_trial_without_files_says_so(tmp_path, listed):
    if listed is not None:
        (tmp_path / "files.json").write_text(listed)
    with pytest.raises(DataError, match="the cache lists no image files to decode"):
        image_files(tmp_path)
