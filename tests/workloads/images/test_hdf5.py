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
    read = images.read(np.array([5, 4]))
    assert np.array_equal(read[0], decode(isic2024 / "jpeg" / "5.jpg", 20, 20)[0])
    assert np.array_equal(read[1], decode(isic2024 / "jpeg" / "4.jpg", 20, 20)[0])
    with pytest.raises(DataError, match="a file in HDF5 holds images, no JPEG files to decode"):
        reader.files(DataRequest(path=isic2024 / "train-image.hdf5"), isic2024)


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
