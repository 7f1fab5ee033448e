"""From one JPEG or PNG file to an RGB array of the wanted size, refusing what cannot be read faithfully.

Files are opened with Pillow's own classes for the two formats rather than with ``Image.open``, so that the size in the
header is judged here, by one limit, before anything is decoded. Ordinary JPEGs take the quick way of ``workloads.images.turbo``.
"""

from __future__ import annotations

import io
import stat
import struct
import threading
import warnings
import zlib
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from workloads.images.kinds import HEAD, JPEG, PNG, refuse, trouble_of
from workloads.images.pillow import pillow
from workloads.images.turbo import decode_ordinary

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

MOST_PIXELS = 100_000_000
LONGEST_SIDE = 20_000
MOST_BYTES = 2**28  # of a JPEG read whole; Pillow takes larger ones in pieces

_EXIF, _FIRST_SEGMENTS = b"Exif\0\0", 4096  # it stands in one of the first segments
_CONVERTIBLE = frozenset(("L", "LA", "P", "RGB", "RGBA"))
_ORIENTATION = 0x0112  # the EXIF tag
_NOT_TURNED, _TURNED = (1, 2, 3, 4), (5, 6, 7, 8)  # whether width and height change places
# What Pillow raises for broken files, in its own words or not.
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error, zlib.error, MemoryError)

# Pillow warns about damaged EXIF while it opens a file. Silencing a warning changes the whole process, hence one at a time.
_OPENING = threading.Lock()


def decode(file: Path, height: int, width: int) -> tuple[NDArray[np.uint8], int]:
    """The image (height, width, 3) in ``file``, and how many pixels the file holds.

    The image is turned as its EXIF orientation says, scaled so that it just covers the target, and cut at the centre. A
    JPEG much larger than the target is decoded at a half, a quarter or an eighth of its size, which is what makes it fast.
    Grey, palette and transparent images (over white) become RGB. Raises DataError for anything else: not a JPEG or PNG,
    truncated, 1 or 16 bits per channel, CMYK, more than 100 megapixels or 20,000 pixels a side.
    """
    pillow()
    try:
        quick = _ordinary(file, height, width)
        if quick is not None:
            return quick
        with file.open("rb") as stream:
            return _by_pillow(stream, file.name, height, width)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{file.name} is not there any more: expected an image file; check the folder") from error
    except _BROKEN as error:
        raise _undecodable(file.name, error) from error


def decode_bytes(data: bytes, name: str, height: int, width: int) -> tuple[NDArray[np.uint8], int]:
    """As ``decode``, for the bytes of a JPEG or PNG that messages call ``name``."""
    pillow()
    try:
        quick = _quick(data, name, height, width) if data.startswith(JPEG) else None
        return quick or _by_pillow(io.BytesIO(data), name, height, width)
    except DataError:
        raise
    except _BROKEN as error:
        raise _undecodable(name, error) from error


def _by_pillow(stream: BinaryIO, name: str, height: int, width: int) -> tuple[NDArray[np.uint8], int]:
    image, orientation = _open(stream, name)
    pixels = image.width * image.height
    target = (height, width) if orientation in _TURNED else (width, height)
    _draft(image, target)
    small = _upright(fit(_rgb_modes(image), *target), orientation)
    return np.array(small.convert("RGB")), pixels


def _undecodable(name: str, error: BaseException) -> DataError:
    reason = str(error).strip().rstrip(".") or type(error).__name__
    found = f"{name} cannot be decoded ({reason:.120})"
    return DataError(f"{found}: expected a whole JPEG or PNG file; fetch it again or remove it")


def _ordinary(file: Path, height: int, width: int) -> tuple[NDArray[np.uint8], int] | None:
    """What the quick way makes of a JPEG; None where it is not ordinary."""
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{file.name} is no file but a folder, a pipe or a device: expected a JPEG or PNG file; remove it")
    if found.st_size > MOST_BYTES:
        return None
    with file.open("rb", buffering=0) as stream:
        data = stream.read(len(JPEG))
        if data != JPEG:
            return None
        data += stream.readall()
    return _quick(data, file.name, height, width)


def _quick(data: bytes, name: str, height: int, width: int) -> tuple[NDArray[np.uint8], int] | None:
    """What the quick way makes of a JPEG's bytes; None where it is not ordinary."""
    orientation = 1
    if _EXIF in data[:_FIRST_SEGMENTS]:
        orientation = _open(io.BytesIO(data), name)[1]
    target = (width, height) if orientation in _TURNED else (height, width)
    quick = decode_ordinary(data, *target, MOST_PIXELS, LONGEST_SIDE)
    if quick is None or orientation == 1:
        return quick
    return np.array(_upright(pillow().fromarray(quick[0]), orientation)), quick[1]


def _open(stream: BinaryIO, name: str) -> tuple[ImageFile, int]:
    """The image, its header read and found good, and its EXIF orientation, 1 to 8."""
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    head = stream.read(HEAD)
    stream.seek(0)
    trouble = trouble_of(head)
    if trouble:
        refuse([f"{name} {trouble}"], 1)
    is_png = head.startswith(PNG)
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image: ImageFile = PngImageFile(stream) if is_png else JpegImageFile(stream)
        _check(image, name)
        return image, _orientation(image)


def _orientation(image: ImageFile) -> int:
    """What EXIF says, 1 to 8; 1 where there is none, or none that makes sense: the pixels may still be good."""
    try:
        found = image.getexif().get(_ORIENTATION, 1) if "exif" in image.info else 1
    except _BROKEN:
        return 1
    return found if found in _TURNED or found in _NOT_TURNED else 1


def _check(image: ImageFile, name: str) -> None:
    width, height = image.size
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        raise DataError(
            f"{name} is {width:,} x {height:,} pixels: expected at most {LONGEST_SIDE:,} a side and "
            f"{MOST_PIXELS / 1e6:.0f} megapixels; scale it down or remove it"
        )
    if image.mode == "CMYK":
        raise DataError(f"{name} is a CMYK image, made for print: expected grey or RGB; convert it to RGB")
    if image.mode not in _CONVERTIBLE:
        what = {"1": "1 bit per pixel, as a mask has"}.get(image.mode, f"pixels of kind {image.mode!r}")
        raise DataError(f"{name} has {what}: expected 8-bit grey or RGB; convert or remove it")


def _draft(image: ImageFile, target: tuple[int, int]) -> None:
    """Let libjpeg decode at a fraction of the size, where what is left still covers the target (width, height)."""
    scale = max(target[0] / image.width, target[1] / image.height)
    if scale < 1:
        needed = (ceil(image.width * scale - 1e-6), ceil(image.height * scale - 1e-6))
        image.draft(None, needed)


def _rgb_modes(image: Image) -> Image:
    """The image as ``L`` or ``RGB``; what is transparent lies over white."""
    if image.mode in ("LA", "RGBA") or "transparency" in image.info:
        from PIL import Image as images

        above = image.convert("RGBA")
        return images.alpha_composite(images.new("RGBA", above.size, (255, 255, 255, 255)), above).convert("RGB")
    return image.convert("RGB") if image.mode == "P" else image


def fit(image: Image, width: int, height: int) -> Image:
    """The middle of the image, scaled until it just covers width x height: nothing is squeezed, nothing is padded."""
    if image.size == (width, height):
        return image
    scale = max(width / image.width, height / image.height)
    margin_x, margin_y = (image.width - width / scale) / 2, (image.height - height / scale) / 2
    box = (max(margin_x, 0.0), max(margin_y, 0.0), image.width - max(margin_x, 0.0), image.height - max(margin_y, 0.0))
    return image.resize((width, height), pillow().Resampling.BILINEAR, box=box)


def _upright(image: Image, orientation: int) -> Image:
    turn = pillow().Transpose
    turns = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image
