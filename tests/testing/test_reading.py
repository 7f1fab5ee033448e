"""The kit for readers: our own readers pass it, and each way to break the contract is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench.contract import DataRequest
from bench.testing import ReaderConformance
from bench.testing.reading import READING, Reading
from bench.worker.reading import files_fault
from tests.support.misbehaving import Dots, workload
from workloads import dermamnist, melanoma


def of_size(offered, size):
    return next(one for one in offered if one.size == size)


class TestSyntheticLesions(ReaderConformance):
    workload = of_size(melanoma.bench_workloads(), "tiny")


class TestLabelledFolder(ReaderConformance):
    workload = of_size(melanoma.bench_workloads(), "tiny")

    def make_request(self, folder):
        ramp = np.add.outer(np.arange(30), np.arange(40)).astype(np.uint8)
        for number in range(24):
            place = folder / ("melanoma" if number % 4 == 0 else "other") / f"{number:02d}.jpg"
            place.parent.mkdir(exist_ok=True)
            Image.fromarray(np.stack([ramp + number, ramp[::-1], ramp], axis=-1)).save(place)
        return DataRequest(path=folder)


class TestMedMnist(ReaderConformance):
    workload = of_size(dermamnist.bench_workloads(), "tiny")

    def make_request(self, folder):
        rng, made = np.random.default_rng(0), {}
        for part, count in (("train", 14), ("val", 7), ("test", 7)):
            made[f"{part}_images"] = rng.integers(0, 256, (count, 28, 28, 3), dtype=np.uint8)
            made[f"{part}_labels"] = (np.arange(count) % 7).astype(np.uint8)[:, None]
        np.savez(folder / "their-own-set.npz", **made)
        return DataRequest(path=folder / "their-own-set.npz")


class OnDisk(Dots):
    """Dots that are files too, whose every answer can be changed."""

    def __init__(self, change=lambda found: found, **methods):
        self.change = change
        for name, method in methods.items():
            setattr(self, name, method)

    def open(self, request, height, width):
        return self.change(super().open(request, height, width))

    def files(self, request, folder):
        (folder / "a.jpg").touch()
        return [folder / "a.jpg"]

    def decode(self, file, height, width):
        return np.zeros((height, width, 3), np.uint8), 64


def faults(tmp_path, reader, request=None):
    reading = Reading(workload(data=reader), request or DataRequest(count=40), tmp_path)
    checks = [found for check in READING for found in check(reading)]
    return " ".join(f"{one.name}: {one.detail}" for one in checks if not one.passed)


def test_an_honest_reader(tmp_path):
    assert faults(tmp_path, OnDisk()) == ""


def changed(**fields):
    return OnDisk(lambda found: replace(found, **fields))


def reading_with(turn):
    """Its images turned into something else."""
    return OnDisk(lambda found: replace(found, read=lambda index: turn(found.read(index))))


DRAWN = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("reader", "fault"),
    [
        (OnDisk(lambda found: None), "open() gave None, expected an ImageSet"),
        (changed(count=0), "count 0, expected a whole number of 1 or more"),
        (changed(height=9), "open() gave images of 9x8, expected 8x8"),
        (changed(labels=[0] * 40), "open() gave labels that are a list, expected int32 (40,)"),
        (changed(labels=np.zeros(40)), "open() gave labels that are float64 (40,), expected int32 (40,)"),
        (changed(labels=np.full(40, 2, np.int32)), "open() gave labels with the value 2, expected 0 to 1"),
        (changed(labels=np.full(40, -1, np.int32)), "open() gave labels with the value -1, expected 0 to 1"),
        (changed(split=None), "without a split"),
        (changed(split=np.full(40, 3, np.uint8)), "open() gave split with the value 3, expected 0 to 2"),
        (changed(description=""), "description '', expected text"),
        (changed(read=None), "whose read is None, expected a function"),
        (reading_with(lambda images: images / 255), "read() gave float64 (40, 8, 8, 3), expected uint8 (40, 8, 8, 3)"),
        (reading_with(lambda images: images[..., :1]), "read() gave uint8 (40, 8, 8, 1), expected uint8 (40, 8, 8, 3)"),
        (reading_with(list), "read() gave a list, expected uint8"),
        (reading_with(lambda images: np.roll(images, 1, 0)), "order of indices: images do not come in the indices' order"),
        (
            reading_with(lambda images: images ^ DRAWN.integers(0, 256, (1, 1, 1, 3), np.uint8)),
            "the same every time: images differ when opened again",
        ),
        (changed(fingerprint="same"), "a fingerprint of the images: another seed has the same fingerprint"),
        (OnDisk(files=lambda request, folder: []), "files: files() gave none; raise DataError and say why"),
        (OnDisk(files=lambda request, folder: None), "files: files() gave None, expected a list of Path"),
        (OnDisk(files=lambda request, folder: ["a"]), "files: files() gave a list, expected a list of Path"),
        (OnDisk(files=lambda request, folder: [folder / "b"]), "files: file 1 of 1 is not there"),
        (OnDisk(decode=lambda file, height, width: None), "decode() gave None, expected an image and the number of pixels"),
        (
            OnDisk(decode=lambda file, height, width: (np.zeros((height, width)), 64)),
            "decode() gave float64 (8, 8), expected uint8 (8, 8, 3)",
        ),
        (
            OnDisk(decode=lambda file, height, width: (np.zeros((height, width, 3), np.uint8), 0)),
            "decode() gave 0 for the file's pixels",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, reader, fault):
    assert fault in faults(tmp_path, reader)


class Named(Dots):
    """A reader of a folder that tells where it is, and of none raises what comes."""

    def open(self, request, height, width):
        sorted(request.path.iterdir())
        return replace(Dots().open(replace(request, path=None), height, width), description=f"40 files of {request.path}")


def test_a_description_that_tells_a_path(tmp_path):
    folder = tmp_path / "patients"
    folder.mkdir()
    found = faults(tmp_path, Named(), DataRequest(path=folder, count=40))
    assert f"nothing told by the description: it holds '{folder}', which is the user's" in found
    assert "a place that is not there: open() raised FileNotFoundError" in found


def test_files_in_any_sequence(tmp_path):
    assert files_fault((tmp_path,)) == ""
    assert files_fault("abc") != ""
