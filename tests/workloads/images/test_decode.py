import io
import os
import struct
import warnings
import zlib

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.contract import DataRequest
from bench.errors import DataError
from workloads.images.decode import LONGEST_SIDE, MOST_PIXELS, decode, fit
from workloads.images.reader import ImageReader
from workloads.images.turbo import decode_ordinary, decoder

ORIENTATION = 0x0112


def png(width, height, depth=8, colour=2, body=b""):
    """A PNG file by its bytes, whatever its header says."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def reference(file, height, width):
    """The same by the book: no scaled decoding, no box."""
    image = Image.open(file).convert("RGB")
    scale = max(width / image.width, height / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return np.asarray(image.crop((left, top, left + width, top + height)))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize(("height", "width"), [(28, 28), (30, 40), (64, 64), (10, 35), (225, 300)])
def test_gives_the_wanted_size_and_the_files_pixels(tmp_path, save, suffix, height, width):
    file = save(tmp_path / f"image{suffix}", width=300, height=200)
    image, pixels = decode(file, height, width)
    assert image.shape == (height, width, 3)
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert pixels == 300 * 200


@pytest.mark.parametrize(("height", "width"), [(28, 28), (50, 40), (100, 120), (150, 200), (190, 190)])
def test_agrees_with_plain_decoding(tmp_path, save, height, width):
    file = save(tmp_path / "image.jpg", width=400, height=300, quality=95)
    difference = decode(file, height, width)[0].astype(int) - reference(file, height, width)
    assert np.abs(difference).mean() < 1.5
    assert np.abs(difference).max() < 12


def test_keeps_an_image_of_the_right_size_untouched(tmp_path, save):
    file = save(tmp_path / "image.png", width=40, height=30)
    assert np.array_equal(decode(file, 30, 40)[0], np.asarray(Image.open(file)))


def test_crops_the_centre(tmp_path):
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = (10, 200, 30)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert np.array_equal(np.unique(decode(tmp_path / "wide.png", 20, 20)[0].reshape(-1, 3), axis=0), [[10, 200, 30]])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(20, 20), (14, 36), (36, 14)])
def test_turns_as_exif_says(tmp_path, save, orientation, size):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = save(tmp_path / "turned.jpg", width=48, height=32, exif=exif, quality=95)
    upright = tmp_path / "upright.png"
    PIL.ImageOps.exif_transpose(Image.open(file)).save(upright)
    assert np.abs(decode(file, *size)[0].astype(int) - decode(upright, *size)[0]).max() <= 3


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_ignores_an_orientation_that_does_not_exist(tmp_path, save, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    plain = decode(save(tmp_path / "plain.jpg"), 20, 20)[0]
    assert np.array_equal(decode(save(tmp_path / "odd.jpg", exif=exif), 20, 20)[0], plain)


@pytest.mark.parametrize("cut", [7, 9, 14, 20, 25])
def test_damaged_exif_neither_warns_nor_hides_the_picture(tmp_path, save, cut):
    exif = Image.Exif()
    exif[ORIENTATION], exif[0x010E] = 1, "a description long enough to lie outside"
    assert decode(save(tmp_path / "exif.jpg", exif=exif.tobytes()[:cut]), 20, 20)[0].shape == (20, 20, 3)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA"])
def test_converts_grey_palette_and_alpha(tmp_path, save, mode):
    image, _ = decode(save(tmp_path / "image.png", mode=mode), 20, 20)
    assert image.shape == (20, 20, 3)
    if mode in ("L", "LA"):
        assert np.array_equal(image[..., 0], image[..., 2])


def test_grey_jpeg(tmp_path, save):
    image, _ = decode(save(tmp_path / "grey.jpg", mode="L"), 20, 20)
    assert np.array_equal(image[..., 0], image[..., 1])


@pytest.mark.parametrize(("mode", "clear"), [("RGBA", (9, 9, 9, 0)), ("LA", (9, 0))])
def test_transparent_is_white(tmp_path, mode, clear):
    Image.new(mode, (30, 30), clear).save(tmp_path / "clear.png")
    assert decode(tmp_path / "clear.png", 20, 20)[0].min() == 255


def test_transparent_palette_is_white(tmp_path):
    image = Image.new("P", (30, 30), 3)
    image.putpalette(list(range(12)))
    image.save(tmp_path / "clear.png", transparency=bytes([255, 255, 255, 0]))
    assert decode(tmp_path / "clear.png", 20, 20)[0].min() == 255


def broken_files(folder, save):
    save(folder / "whole.jpg", width=200, height=100)
    whole = (folder / "whole.jpg").read_bytes()
    wide = bytearray(whole)
    frame = wide.index(b"\xff\xc0")
    wide[frame + 5 : frame + 9] = struct.pack(">HH", 40, 50_000)
    save(folder / "cmyk.jpg", mode="CMYK")
    save(folder / "mask.png", mode="1")
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(folder / "deep.png")
    contents = {
        "truncated.jpg": whole[: len(whole) // 2],
        "wide.jpg": bytes(wide),
        "large.png": png(11_000, 11_000),
        "long.png": png(1, 20_001),
        "deep_colour.png": png(4, 4, depth=16, body=bytes(100)),
        "short_body.png": png(4, 4, body=b"\0" * 5),
        "text.jpg": b"this is no image",
        "empty.png": b"",
        "gif.jpg": b"GIF89a" + bytes(30),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)


BROKEN = [
    ("truncated.jpg", "truncated"),
    ("wide.jpg", "50,000 x 40 pixels: expected at most 20,000 a side"),
    ("large.png", "11,000 x 11,000 pixels"),
    ("long.png", "1 x 20,001 pixels"),
    ("deep.png", "16 bits per channel: expected 8"),
    ("deep_colour.png", "16 bits per channel: expected 8"),
    ("cmyk.jpg", "CMYK"),
    ("mask.png", "1 bit per pixel"),
    ("short_body.png", "cannot be decoded"),
    ("text.jpg", "neither a JPEG nor a PNG"),
    ("gif.jpg", "neither a JPEG nor a PNG"),
    ("empty.png", "is empty"),
    ("absent.png", "is not there any more"),
]


@pytest.mark.parametrize(("name", "found"), BROKEN)
def test_refuses_in_one_sentence_that_names_the_file(tmp_path, save, name, found):
    broken_files(tmp_path, save)
    with pytest.raises(DataError) as caught:
        decode(tmp_path / name, 28, 28)
    message = str(caught.value)
    assert message.startswith(name)
    assert found in message
    assert "expected" in message
    assert str(tmp_path) not in message
    assert "\n" not in message


def test_sizes_are_judged_by_one_limit(tmp_path, save, monkeypatch):
    file = save(tmp_path / "image.jpg", width=200, height=100)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)  # Pillow's own limit would warn, or refuse
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(file, 28, 28)[1] == 20_000


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(suffix=st.sampled_from([".jpg", ".png"]), data=st.data())
def test_any_damage_is_decoded_or_refused(tmp_path, save, suffix, data):
    whole = save(tmp_path / f"whole{suffix}").read_bytes()
    content = bytearray(whole[: data.draw(st.integers(0, len(whole)), "length")])
    for _ in range(data.draw(st.integers(0, 4), "changes")):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path / f"broken{suffix}"
    file.write_bytes(bytes(content))
    message = file.name
    try:
        assert decode(file, 28, 28)[0].shape == (28, 28, 3)
    except DataError as error:
        message = str(error)
    assert message.startswith(file.name)


def test_cut_files_are_refused(tmp_path, save):
    for suffix in (".jpg", ".png"):
        whole = save(tmp_path / f"whole{suffix}", width=200, height=100).read_bytes()
        for share in (0.1, 0.3, 0.5, 0.7, 0.9):
            file = tmp_path / f"cut{suffix}"
            file.write_bytes(whole[: int(share * len(whole))])
            with pytest.raises(DataError):
                decode(file, 28, 28)


@pytest.mark.parametrize("side", [28, 64, 224])
def test_the_quick_way_is_near_antialiased_resizing_of_all_pixels(tmp_path, side):
    files = ImageReader(("other", "melanoma")).files(DataRequest(), tmp_path)[:6]
    off = []
    for file in files:
        with Image.open(file) as image:
            plain = np.asarray(fit(image.convert("RGB"), side, side)).astype(int)
        found = decode_ordinary(file.read_bytes(), side, side, MOST_PIXELS, LONGEST_SIDE)
        assert found is not None
        assert found[1] == 600 * 450
        off.append(np.abs(found[0] - plain).mean())
    assert np.mean(off) < 2


@pytest.mark.parametrize(("height", "width"), [(224, 300), (225, 299), (224, 299), (225, 300)])
def test_an_image_of_one_row_or_column_too_many_loses_the_middle_one(tmp_path, save, height, width):
    data = save(tmp_path / "image.jpg", width=600, height=450).read_bytes()
    whole = decode_ordinary(data, 225, 300, MOST_PIXELS, LONGEST_SIDE)
    found = decode_ordinary(data, height, width, MOST_PIXELS, LONGEST_SIDE)
    assert whole is not None
    assert found is not None
    expected = np.delete(whole[0], [112] if height < 225 else [], 0)
    np.testing.assert_array_equal(found[0], np.delete(expected, [150] if width < 300 else [], 1))


@pytest.mark.parametrize(("height", "width"), [(1, 2), (2, 1), (1, 224), (224, 1), (2, 9), (6, 1)])
def test_images_of_a_pixel_or_two_are_decoded(tmp_path, save, height, width):
    file = save(tmp_path / "image.jpg", width=width, height=height)
    for side in (1, 28, 224):
        assert decode(file, side, side)[0].shape == (side, side, 3)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "image.jpg")
    with pytest.raises(DataError, match="is no file but a folder, a pipe or a device"):
        decode(tmp_path / "image.jpg", 28, 28)


def test_without_the_quick_way_pillow_gives_nearly_the_same(tmp_path, save, monkeypatch):
    file = save(tmp_path / "image.jpg", width=300, height=200, quality=95)
    quick = decode(file, 64, 64)[0].astype(int)
    monkeypatch.setattr("workloads.images.turbo._turbo", lambda: None)
    assert decoder().startswith("Pillow ")
    slow = decode(file, 64, 64)[0]
    assert 0 < np.abs(quick - slow).mean() < 1.5


def test_the_middle_of_an_image_stays_in_the_middle(tmp_path):
    """Left and right, top and bottom are treated alike."""
    ramp = np.add.outer(np.linspace(0, 60, 300), np.linspace(0, 120, 401))
    for number, pixels in enumerate((ramp, ramp[::-1, ::-1])):
        Image.fromarray(np.stack([pixels] * 3, -1).astype(np.uint8)).save(tmp_path / f"{number}.jpg", quality=98)
    one, two = (decode(tmp_path / f"{number}.jpg", 100, 100)[0].astype(int) for number in range(2))
    assert np.abs(one - two[::-1, ::-1]).mean() < 0.6


def test_progressive_jpeg(tmp_path, save):
    plain = decode(save(tmp_path / "plain.jpg", width=200, height=100), 28, 28)[0]
    assert np.array_equal(
        decode(save(tmp_path / "progressive.jpg", width=200, height=100, progressive=True), 28, 28)[0], plain
    )


def test_real_originals(real_data):
    for file in sorted((real_data / "isic_uda1_originals" / "images").iterdir())[::10]:
        image, pixels = decode(file, 224, 224)
        assert image.shape == (224, 224, 3)
        assert image.std() > 5
        with Image.open(io.BytesIO(file.read_bytes())) as opened:
            assert pixels == opened.width * opened.height
