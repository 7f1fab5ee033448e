"""Small image files to read, and the real ones where there are any."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.contract import DataRequest
from workloads.images.reader import ImageReader

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def real_data():
    """The folder of real dermoscopy images; skips where it is absent."""
    folder = Path(os.environ.get("BENCH_TEST_DATA", ROOT / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real images here: set BENCH_TEST_DATA to their folder")
    return folder


@pytest.fixture
def reader():
    return ImageReader(classes=("other", "melanoma"))


@pytest.fixture
def refusal():
    """What a reader says of labels that it does not understand: the images have none, and can be measured all the same."""

    def refusal(reader, folder):
        images = reader.open(DataRequest(path=folder), 20, 20)
        assert images.labels is None
        assert images.remarks == (f"labels are not used: {images.unlabelled}",)
        return images.unlabelled

    return refusal


@pytest.fixture
def save():
    """Writes an image file of smooth colours; its suffix decides the format."""

    def save(file, width=40, height=30, mode="RGB", **options):
        ramp = np.add.outer(np.linspace(0, 120, height), np.linspace(0, 120, width))
        pixels = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=-1).astype(np.uint8)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).convert(mode).save(file, **options)
        return file

    return save


@pytest.fixture
def ham10000(tmp_path, save):
    """A folder in HAM10000's layout: 60 images of 40 lesions in two parts, every fourth a melanoma."""
    folder = tmp_path / "ham"
    lines = ["lesion_id,image_id,dx,dx_type,age,sex,localization"]
    for i in range(60):
        lesion = i % 40
        dx = "mel" if lesion % 4 == 0 else ("nv", "bkl", "bcc")[lesion % 3]
        save(folder / f"HAM10000_images_part_{i % 2 + 1}" / f"ISIC_{i:07d}.jpg", width=24 + i)
        lines.append(f"HAM_{lesion:07d},ISIC_{i:07d},{dx},histo,50.0,male,back")
    (folder / "HAM10000_metadata.csv").write_text("\n".join(lines) + "\n")
    return folder
