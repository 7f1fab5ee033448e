import io
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.contract import TEST, TRAIN, VALIDATION, DataRequest
from bench.errors import DataError
from workloads.images import npz
from workloads.images.reader import ImageReader

COUNTS = {"train": 14, "val": 7, "test": 8}


def arrays(size=12, channels=3, labels=7):
    random = np.random.default_rng(0)
    shape = (size, size, channels) if channels else (size, size)
    made = {}
    for part, count in COUNTS.items():
        made[f"{part}_images"] = random.integers(0, 256, (count, *shape), dtype=np.uint8)
        made[f"{part}_labels"] = (np.arange(count) % labels).astype(np.uint8)[:, None]
    return made


@pytest.fixture
def store(tmp_path):
    def store(made, compressed=False):
        file = tmp_path / "set.npz"
        (np.savez_compressed if compressed else np.savez)(file, **made)
        return file

    return store


def opened(file, size=12, positive=()):
    return ImageReader(("other", "melanoma")).open(DataRequest(path=file, positive=positive), size, size)


@pytest.mark.parametrize("compressed", [True, False])
def test_reads_back_what_was_stored(store, compressed):
    made = arrays()
    images = opened(store(made, compressed))
    everything = np.concatenate([made[f"{part}_images"] for part in COUNTS])
    order = np.random.default_rng(1).permutation(len(everything))
    assert np.array_equal(images.read(order), everything[order])
    assert images.split.tolist() == [TRAIN] * 14 + [VALIDATION] * 7 + [TEST] * 8
    labels = np.concatenate([made[f"{part}_labels"] for part in COUNTS])[:, 0]
    assert np.array_equal(images.labels, labels == 4)
    assert images.labels.dtype == np.int32
    assert images.description == "npz in MedMNIST's layout, 29 images of 12x12, 4 melanoma, split as given"


@pytest.mark.parametrize("channels", [0, 1])
def test_grey_becomes_three_channels(store, channels):
    made = arrays(channels=channels)
    images = opened(store(made)).read(np.arange(3))
    assert images.shape == (3, 12, 12, 3)
    assert np.array_equal(images[..., 2], made["train_images"][:3].reshape(3, 12, 12))


@pytest.mark.parametrize("size", [7, 28])
def test_resizes(store, size):
    made = arrays()
    expected = Image.fromarray(made["val_images"][0]).resize((size, size), Image.Resampling.BILINEAR)
    assert np.array_equal(opened(store(made), size).read(np.array([14]))[0], np.asarray(expected))


def test_stored_arrays_are_mapped_and_compressed_ones_loaded_once(store, monkeypatch):
    loads = []
    monkeypatch.setattr(np, "load", lambda *args, load=np.load, **kwargs: loads.append(1) or load(*args, **kwargs))
    images = opened(store(arrays()))
    images.read(np.arange(29))
    assert not loads
    images = opened(store(arrays(), compressed=True))
    assert len(loads) == 6  # labels and images, which are looked through for copies
    images.read(np.arange(14))
    assert len(loads) == 6


def test_flat_labels_and_two_classes(store):
    made = {name: array[:, 0] if name.endswith("labels") else array for name, array in arrays(labels=2).items()}
    assert opened(store(made)).labels.tolist()[:4] == [0, 1, 0, 1]
    booleans = {name: array.astype(bool) if name.endswith("labels") else array for name, array in made.items()}
    with pytest.raises(DataError, match="--positive"):
        opened(store(booleans | {"val_labels": np.full(7, 2, np.uint8)}))


def test_positive_overrides(store):
    assert opened(store(arrays()), positive=("0",)).labels.tolist()[:8] == [1, 0, 0, 0, 0, 0, 0, 1]


def test_without_labels(store):
    file = store({name: array for name, array in arrays().items() if name.endswith("images")})
    assert opened(file).labels is None
    with pytest.raises(DataError, match="--positive 4 chooses a label"):
        opened(file, positive=("4",))


def test_fingerprint(store):
    made = arrays()
    before = opened(store(made)).fingerprint
    assert opened(store(made, compressed=True)).fingerprint == before
    assert opened(store(made), positive=("1",)).fingerprint != before
    made["test_images"][7, 0, 0, 0] ^= 1
    assert opened(store(made)).fingerprint != before


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize("name", ["train_images", "train_labels", "anything"])
def test_pickled_objects_are_refused_never_unpickled(store, name):
    with pytest.raises(DataError, match=f"holds pickled objects in {name}"):
        opened(store(arrays() | {name: np.array([Bomb()], object)}))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"train_images": np.zeros((14, 12, 12, 3), np.float32)}, "type float32: expected uint8"),
        ({"train_images": np.zeros((14, 12, 12, 4), np.uint8)}, r"shape \(14, 12, 12, 4\)"),
        ({"train_images": np.zeros((14, 12, 12, 12, 3), np.uint8)}, "expected uint8"),
        ({"val_images": np.zeros((7, 13, 12, 3), np.uint8)}, "val_images of 12x13: expected one size"),
        ({"val_labels": np.zeros(6, np.uint8)}, "expected one whole number for each of 7 images"),
        ({"val_labels": np.zeros((7, 14), np.uint8)}, r"val_labels has shape \(7, 14\)"),
        ({"val_labels": np.zeros(7)}, "type float64"),
        ({"test_labels": None}, "test_labels has no such array"),
        (
            {"train_labels": np.full((14, 1), 7, np.uint8)},
            "unclear which labels mean melanoma: the labels of set.npz hold 7",
        ),
    ],
)
def test_wrong_arrays(store, changes, found):
    made = {name: array for name, array in (arrays() | changes).items() if array is not None}
    with pytest.raises(DataError, match=found):
        opened(store(made))


def test_nothing_like_medmnist(store):
    with pytest.raises(DataError, match="holds x: expected train_images"):
        opened(store({"x": np.zeros(3)}))
    with pytest.raises(DataError, match="no image at all"):
        opened(store({"train_images": np.zeros((0, 12, 12, 3), np.uint8)}))


def test_empty_parts_are_harmless(store):
    made = arrays() | {"val_images": np.zeros((0, 12, 12, 3), np.uint8), "val_labels": np.zeros((0, 1), np.uint8)}
    assert opened(store(made)).read(np.array([14]))[0].tolist() == made["test_images"][0].tolist()


def test_a_zip_of_images(tmp_path, save):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(save(tmp_path / "a.jpg"), "a.jpg")
    with pytest.raises(DataError, match=r"images.zip is a zip file without arrays: unpack it"):
        opened(tmp_path / "images.zip")


def test_a_header_that_promises_more_than_there_is(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 28, 28, 3)})
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("train_images.npy", stream.getvalue())
    with pytest.raises(DataError, match="not as long as its header says"):
        npz.members(tmp_path / "huge.npz")


@pytest.mark.parametrize("compressed", [True, False])
def test_truncated(store, compressed):
    file = store(arrays(), compressed)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match="expected a whole npz file"):
        opened(file)


def test_changed_pixels_are_not_trained_on(store):
    file = store(arrays())
    content = bytearray(file.read_bytes())
    content[2000] ^= 0xFF
    file.write_bytes(bytes(content))
    first = next(iter(npz.members(file).values()))
    with pytest.raises(DataError, match=f"bad checksum of {first.name}"):
        npz.Arrays(file).get(first)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(compressed=st.booleans(), changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_damage_is_read_or_refused(store, compressed, changes):
    file = store(arrays(size=4), compressed)
    content = bytearray(file.read_bytes())
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    file.write_bytes(bytes(content))
    message = "set.npz"
    try:
        assert opened(file, 4).read(np.arange(5)).shape == (5, 4, 4, 3)
    except DataError as error:
        message = str(error)
    assert "set.npz" in message


def test_equal_images_in_several_parts_are_counted(reader, tmp_path):
    pixels = np.arange(4 * 8 * 8 * 3, dtype=np.int64).reshape(4, 8, 8, 3).astype(np.uint8)
    pixels[:, 0, 0, 0] = [1, 2, 3, 4]
    labels = np.array([0, 1, 0, 1])
    file = tmp_path / "set.npz"
    np.savez(file, train_images=pixels, train_labels=labels, test_images=pixels[2:], test_labels=labels[2:])
    said = reader.open(DataRequest(path=file), 8, 8).understood
    assert said[0] == "classes: 3 other, 3 melanoma"
    assert said[1].startswith("split as the file gives it: 4 training (2 melanoma); 0 validation")
    assert said[2] == "warning: 2 images in several parts with equal pixels"


def test_real(real_data):
    images = opened(real_data / "ham10000_28" / "ham10000_28_medmnist_layout.npz", 28)
    assert images.description == "npz in MedMNIST's layout, 10,015 images of 28x28, 1,113 melanoma, split as given"
    assert np.bincount(images.split).tolist() == [7006, 1000, 2009]
    assert images.read(np.array([0, 7006, 10_014])).shape == (3, 28, 28, 3)
