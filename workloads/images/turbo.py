"""The quick way from an ordinary JPEG to an array: libjpeg-turbo decodes at a half, a quarter or an eighth of the size, and OpenCV
cuts and scales the rest in one pass.

CMYK, and whatever libjpeg-turbo complains of, is left to Pillow, and so is every file where one of the two packages is missing.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COLOURS = ("RGB", "YCbCr", "Gray")
_FRACTIONS = (8, 4, 2)  # those that libjpeg-turbo has vector code for; Pillow's ``draft`` has the same

WAY = 2
"""Counts the changes to what this module makes of the same decoded pixels."""


@cache
def _turbo() -> tuple[Any, Any] | None:
    """The modules simplejpeg and cv2, or None where either is missing."""
    try:
        import cv2
        import simplejpeg
    except ImportError:
        return None
    cv2.setNumThreads(1)  # images are shared out among threads already
    return simplejpeg, cv2


def decoder() -> str:
    """What decodes ordinary JPEG files here, with its versions; equal means equal pixels."""
    modules = _turbo()
    if modules is None:
        return f"Pillow {version('pillow')}"
    return f"simplejpeg {version('simplejpeg')} and OpenCV {modules[1].__version__}, way {WAY}"


def decode_ordinary(
    data: bytes, height: int, width: int, most_pixels: int, longest_side: int
) -> tuple[NDArray[np.uint8], int] | None:
    """The image (height, width, 3) in a JPEG file's bytes and the pixels that the file holds; None where it is not ordinary."""
    modules = _turbo()
    if modules is None:
        return None
    simplejpeg, cv2 = modules
    try:
        rows, columns, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in _COLOURS or max(rows, columns) > longest_side or rows * columns > most_pixels:
            return None
        scale = max(width / columns, height / rows)
        fraction = next((n for n in _FRACTIONS if n * scale <= 1), 1)
        image = simplejpeg.decode_jpeg(data, min_height=rows // fraction, min_width=columns // fraction, min_factor=fraction)
    except (ValueError, MemoryError):
        return None  # Pillow knows how to say what is wrong
    return _cover(cv2, image, height, width), rows * columns


def _cover(cv2: Any, image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The middle of the image, scaled until it just covers height x width."""
    rows, columns = image.shape[:2]
    scale = max(width / columns, height / rows)
    # Whole pixels, as many on either side: the middle stays where it is.
    top = min(round((rows - height / scale) / 2), (rows - 1) // 2)
    left = min(round((columns - width / scale) / 2), (columns - 1) // 2)
    middle = image[top : rows - top, left : columns - left]
    spare = middle.shape[0] - height, middle.shape[1] - width
    if set(spare) <= {0, 1}:
        return _without_middle(middle, *spare)
    # Nearly the right size, plain interpolation loses nothing; farther off, every pixel must count.
    way = cv2.INTER_AREA if scale < CLOSE else cv2.INTER_LINEAR
    result: NDArray[np.uint8] = cv2.resize(middle, (width, height), interpolation=way)
    return result


def _without_middle(image: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    """The image less its middle row, or column, or neither. Of one row too many, as 600x450 to 224x224 leaves, this is the nearest
    neighbour: nothing moves by more than half a pixel, in a sixth of the time of interpolating."""
    rows, columns = (count // 2 for count in image.shape[:2])
    if column:
        image = np.concatenate((image[:, :columns], image[:, columns + 1 :]), 1)
    if row:
        image = np.concatenate((image[:rows], image[rows + 1 :]))
    return np.ascontiguousarray(image)


CLOSE = 1 / math.sqrt(2)
"""Down to this scale an image is interpolated between its four nearest pixels."""
