import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.contract import DataReader, DataRequest
from bench.errors import DataError
from workloads.images.reader import ImageReader


def test_is_a_data_reader(reader):
    contract: DataReader = reader
    assert contract is reader


@pytest.mark.process
def test_importing_is_cheap():
    """The plugin is imported to be listed: Pillow, pandas and frameworks wait until an image is read."""
    code = "import sys, workloads.images.reader; print([m for m in ('PIL', 'pandas', 'torch', 'jax', 'scipy') if m in sys.modules])"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda path: path, "does not exist"),
        (lambda path: path.mkdir(), "nor anything else"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"12345"), "unknown kind"),
    ],
)
def test_what_is_no_data(reader, tmp_path, make, found):
    path = tmp_path / "thing"
    make(path)
    for call in (
        lambda: reader.open(DataRequest(path=path), 28, 28),
        lambda: reader.files(DataRequest(path=path), tmp_path),
    ):
        with pytest.raises(DataError) as caught:
            call()
        assert found in str(caught.value)
        assert "expected a folder of images" in str(caught.value)


@pytest.mark.parametrize(("name", "found"), [("a.jpg", "a single image"), ("a.csv", "give the table as --labels")])
def test_a_file_in_the_place_of_a_folder(reader, tmp_path, name, found):
    (tmp_path / name).write_text("something")
    with pytest.raises(DataError, match=found):
        reader.open(DataRequest(path=tmp_path / name), 28, 28)


def test_npz_takes_no_table_and_has_no_files(reader, tmp_path):
    file = tmp_path / "set.npz"
    np.savez(file, train_images=np.zeros((2, 8, 8, 3), np.uint8), train_labels=np.array([0, 1]))
    assert reader.open(DataRequest(path=file), 8, 8).count == 2
    for option in ({"labels": file}, {"label_column": "dx"}, {"group_column": "lesion_id"}):
        with pytest.raises(DataError, match="holds its own labels"):
            reader.open(DataRequest(path=file, **option), 8, 8)
    with pytest.raises(DataError, match="no JPEG files to decode") as caught:
        reader.files(DataRequest(path=file), tmp_path)
    assert "set" not in str(caught.value)


def test_files_of_a_folder(reader, ham10000, tmp_path):
    files = reader.files(DataRequest(path=ham10000), tmp_path / "unused")
    assert files == sorted(ham10000.rglob("*.jpg"))
    assert reader.decode(files[0], 10, 12)[0].shape == (10, 12, 3)
    assert not (tmp_path / "unused").exists()


def test_png_files_are_not_for_timing_jpeg(reader, tmp_path, save):
    save(tmp_path / "a.png")
    with pytest.raises(DataError, match="PNG files only"):
        reader.files(DataRequest(path=tmp_path), tmp_path)


def test_synthetic(reader):
    images = reader.open(DataRequest(count=200, seed=5), 28, 32)
    assert images.read(np.array([150, 3])).shape == (2, 28, 32, 3)
    melanomas = int(images.labels.sum())
    assert images.description == f"synthetic lesions, seed 5, 200 images, {melanomas} melanoma"
    assert set(images.split.tolist()) == {0, 1, 2}


def test_synthetic_images_do_not_depend_on_how_many_there_are(reader):
    few, many = (reader.open(DataRequest(count=count), 28, 28) for count in (50, 500))
    chosen = np.array([49, 0, 7])
    assert np.array_equal(few.read(chosen), many.read(chosen))
    assert np.array_equal(few.labels, many.labels[:50])
    assert np.array_equal(few.split, many.split[:50])


def test_synthetic_fingerprints(reader):
    requests = [DataRequest(count=20), DataRequest(count=21), DataRequest(count=20, seed=1)]
    prints = [reader.open(request, 28, 28).fingerprint for request in requests]
    assert len(set(prints)) == 3
    assert reader.open(requests[0], 28, 28).fingerprint == prints[0]


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (DataRequest(count=0), "expected 1 or more"),
        (DataRequest(labels=Path("x.csv")), "--labels is about your own images"),
        (DataRequest(label_column="dx"), "--label-column is about"),
        (DataRequest(positive=("mel",)), "--positive is about"),
    ],
)
def test_synthetic_refuses_what_makes_no_sense(reader, request_, found):
    with pytest.raises(DataError, match=found):
        reader.open(request_, 28, 28)


def test_no_generator(tmp_path):
    reader = ImageReader(("a", "b", "c"), synthetic=None)
    with pytest.raises(DataError, match="no synthetic images: name a folder"):
        reader.open(DataRequest(), 28, 28)
    with pytest.raises(DataError, match="no synthetic images"):
        reader.files(DataRequest(), tmp_path)


def test_synthetic_files_are_like_real_ones_and_written_once(reader, tmp_path, real_sizes):
    files = reader.files(DataRequest(seed=1), tmp_path / "jpeg")
    assert len(files) == 64
    assert sorted((tmp_path / "jpeg").glob("*.jpg")) == files
    with Image.open(files[0]) as image:
        assert (image.size, image.format, image.mode) == ((600, 450), "JPEG", "RGB")
    per_pixel = [file.stat().st_size / 270_000 for file in files]
    for low, high in real_sizes:
        assert low <= min(per_pixel)
        assert max(per_pixel) <= high
    assert reader.decode(files[0], 64, 64)[1] == 270_000
    written = [file.stat().st_mtime_ns for file in files]
    assert reader.files(DataRequest(seed=1), tmp_path / "jpeg") == files
    assert [file.stat().st_mtime_ns for file in files] == written


@pytest.fixture
def real_sizes():
    """Lowest and highest bytes per pixel of real JPEG files: 111 originals, and 3,000 at 200x150.

    Measured on the test images; ``test_the_cited_sizes_are_those_of_the_real_files`` holds them against the files.
    """
    return [(0.042, 0.771), (0.069, 0.334)]


def test_the_cited_sizes_are_those_of_the_real_files(real_sizes, real_data):
    for (low, high), name in zip(real_sizes, ("isic_uda1_originals", "ham10000_200x150"), strict=True):
        found = []
        for file in (real_data / name / "images").iterdir():
            with Image.open(file) as image:
                found.append(file.stat().st_size / (image.width * image.height))
        assert round(min(found), 3) == low
        assert round(max(found), 3) == high


def test_pillow_absent(reader, ham10000, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    images = reader.open(DataRequest(path=ham10000), 8, 8)
    with pytest.raises(DataError, match=r"needs Pillow.*accelbench\[data\]"):
        images.read(np.arange(2))


def test_the_request_is_the_contracts(ham10000, reader):
    request = dataclasses.replace(DataRequest(), path=ham10000, group_column="LESION_ID")
    assert reader.open(request, 8, 8).description.endswith("split by lesion")
