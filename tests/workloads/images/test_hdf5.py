import sys

import h5py
import numpy as np
import pytest

from bench.contract import DataRequest
from bench.errors import DataError
from workloads.images.decode import decode


@pytest.fixture
def isic2024(tmp_path, save):
    """A file in the layout of ISIC 2024: a dataset of JPEG bytes for each image; its table, and a submission, beside it."""
    lines = ["isic_id,target,patient_id,lesion_id,iddx_1,iddx_2,iddx_3"]
    with h5py.File(tmp_path / "train-image.hdf5", "w") as file:
        for i in range(12):
            jpeg = save(tmp_path / "jpeg" / f"{i}.jpg", width=30 + i).read_bytes()
            file.create_dataset(f"ISIC_{i:07d}", data=np.void(jpeg) if i % 2 else np.bytes_(jpeg))
            melanoma = "Malignant,Malignant melanocytic proliferations (Melanoma),Melanoma in situ"
            lines.append(f"ISIC_{i:07d},{int(i == 3)},IP_{i // 3},,{melanoma if i == 3 else 'Benign,,'}")
    (tmp_path / "train-metadata.csv").write_text("\n".join(lines))
    (tmp_path / "sample_submission.csv").write_text("isic_id,target\nISIC_9999999,0.3\n")
    return tmp_path


def test_images_in_hdf5(reader, isic2024):
    images = reader.open(DataRequest(path=isic2024 / "train-image.hdf5"), 20, 20)
    assert images.description == "HDF5 file with the table of ISIC 2024, 12 images, 1 melanoma, split by patient and lesion"
    assert images.labels.tolist() == [int(i == 3) for i in range(12)]
    assert not any("with the content of another" in line for line in images.understood)
    read = images.read(np.array([5, 4]))
    assert np.array_equal(read[0], decode(isic2024 / "jpeg" / "5.jpg", 20, 20)[0])
    assert np.array_equal(read[1], decode(isic2024 / "jpeg" / "4.jpg", 20, 20)[0])
    with pytest.raises(DataError, match="a file in HDF5 holds images, no JPEG files to decode"):
        reader.files(DataRequest(path=isic2024 / "train-image.hdf5"), isic2024)


def test_equal_images_in_hdf5_are_never_split(reader, isic2024):
    """Image 11 of the last patient is one more copy of image 0 of the first, so that the two patients are one group."""
    with h5py.File(isic2024 / "train-image.hdf5", "a") as file:
        del file["ISIC_0000011"]
        file.create_dataset("ISIC_0000011", data=np.void((isic2024 / "jpeg" / "0.jpg").read_bytes()))
    images = reader.open(DataRequest(path=isic2024 / "train-image.hdf5"), 20, 20)
    assert any(line.startswith("1 image with the content of another") for line in images.understood)
    assert len({*images.split[[0, 1, 2, 9, 10, 11]].tolist()}) == 1
    assert "groups by patient and lesion: 3, the largest of 6 images" in images.understood


def test_equal_images_in_several_parts_of_a_given_split_are_named_in_hdf5_too(reader, isic2024):
    table = isic2024 / "train-metadata.csv"
    header, *lines = table.read_text().splitlines()
    parts = [f"{line},{'test' if number == 11 else 'train'}" for number, line in enumerate(lines)]
    table.write_text("\n".join([f"{header},split", *parts]))
    with h5py.File(isic2024 / "train-image.hdf5", "a") as file:
        del file["ISIC_0000011"]
        file.create_dataset("ISIC_0000011", data=np.void((isic2024 / "jpeg" / "0.jpg").read_bytes()))
    images = reader.open(DataRequest(path=isic2024 / "train-image.hdf5"), 20, 20)
    assert any("in several parts of the given split" in line for line in images.understood)


def test_hdf5_that_cannot_be_read(reader, isic2024, monkeypatch):
    path = isic2024 / "train-image.hdf5"
    with h5py.File(path, "a") as file:
        file.create_dataset("ISIC_A", data=np.bytes_(b"x"))
        file.create_dataset("ISIC_B", data=np.arange(3))
    images = reader.open(DataRequest(path=path, labels=isic2024 / "train-metadata.csv"), 20, 20)
    assert images.read(np.arange(12)).shape == (12, 20, 20, 3)
    (isic2024 / "train-metadata.csv").unlink()
    with pytest.raises(DataError, match="2 of 14 images cannot be read: ISIC_A is neither a JPEG nor a PNG file; ISIC_B is"):
        reader.open(DataRequest(path=path), 20, 20).read(np.arange(2))
    (isic2024 / "cut.hdf5").write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"cut.hdf5 cannot be read .* expected a whole HDF5 file"):
        reader.open(DataRequest(path=isic2024 / "cut.hdf5"), 20, 20)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"needs h5py: pip install 'accelbench\[hdf5\]'"):
        reader.open(DataRequest(path=path), 20, 20)


def test_a_folder_with_hdf5_alone_says_what_to_give(reader, tmp_path):
    (tmp_path / "train-image.hdf5").write_bytes(b"\x89HDF")
    with pytest.raises(DataError, match=r"only 1 .hdf5: expected a folder of images; give the HDF5 file itself as --data"):
        reader.open(DataRequest(path=tmp_path), 20, 20)
