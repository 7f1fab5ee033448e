import numpy as np
import pytest
from PIL import Image

from bench.contract import DataRequest
from bench.errors import DataError
from workloads.images.kinds import trouble_of


@pytest.mark.parametrize(
    ("head", "trouble"),
    [
        (b"", "is empty"),
        (b"\xff\xd8\xff\xe0", ""),
        (b"\x89PNG\r\n\x1a\n", ""),
        (b"II*\0", "is neither a JPEG nor a PNG file but a TIFF image"),
        (b"\0" * 128 + b"DICM", "is neither a JPEG nor a PNG file but a DICOM file"),
        (b"RIFF\0\0\0\0WEBP", "is neither a JPEG nor a PNG file but a WebP image"),
        (b"\n<!DOCTYPE html>", "is neither a JPEG nor a PNG file but a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "is neither a JPEG nor a PNG file but a pointer of Git LFS, whose image was not fetched",
        ),
        (b"anything", "is neither a JPEG nor a PNG file"),
    ],
)
def test_what_a_file_is_by_its_first_bytes(head, trouble):
    assert trouble_of(head) == trouble


def test_all_files_that_cannot_be_read_are_named_at_once(reader, tmp_path, save):
    for name in "abc":
        save(tmp_path / f"{name}.jpg")
    (tmp_path / "d.jpg").write_bytes(b"")
    save(tmp_path / "e.tif").rename(tmp_path / "e.jpg")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "f.png")
    images = reader.open(DataRequest(path=tmp_path), 8, 8)
    with pytest.raises(DataError) as caught:
        images.read(np.arange(1))
    assert str(caught.value) == (
        "3 of 6 images cannot be read: d.jpg is empty; e.jpg is neither a JPEG nor a PNG file but a TIFF image; f.png has 16 bits "
        "per channel: expected whole JPEG or PNG files with 8 bits per channel; fetch them again, convert or remove them"
    )
    for name in ("d.jpg", "e.jpg"):
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"^f.png has 16 bits per channel: expected 8; save it with 8 bits per channel$"):
        reader.open(DataRequest(path=tmp_path), 8, 8).read(np.arange(1))


def test_truncated_files_are_named_together(reader, tmp_path, save):
    for name in "abcd":
        file = save(tmp_path / f"{name}.jpg", width=200, height=200)
        if name in "bd":
            file.write_bytes(file.read_bytes()[:600])
    with pytest.raises(
        DataError, match=r"^2 of 4 images cannot be read: b.jpg cannot be decoded .*; d.jpg cannot be decoded"
    ):
        reader.open(DataRequest(path=tmp_path), 8, 8).read(np.arange(4))


def test_images_in_other_formats_are_counted(reader, tmp_path, save):
    save(tmp_path / "a.jpg")
    for name in ("b.tif", "c.TIF", "d.dcm", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    said = reader.open(DataRequest(path=tmp_path), 8, 8).understood
    assert "images in other formats left out: 2 .tif, 1 .dcm; only JPEG and PNG files are read" in said


def test_names_that_are_no_utf_8(reader, tmp_path, save):
    name = b"M\xe9lanome.jpg".decode(errors="surrogateescape")
    save(tmp_path / "a.jpg").rename(tmp_path / name)
    save(tmp_path / "b.jpg")
    images = reader.open(DataRequest(path=tmp_path), 8, 8)
    assert images.count == 2
    assert images.read(np.arange(2)).shape == (2, 8, 8, 3)
