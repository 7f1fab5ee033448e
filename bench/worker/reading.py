"""What a data reader gives, held against the contract. Each function returns the first fault in words, or an empty string.

The worker asks before it keeps an answer, and the conformance kit for readers asks too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.contract import TEST, DataRequest, ImageSet, Workload
from bench.worker.offered import kind, shown, text_fault

MOST_LINES = 1000
"""What an image set may say of itself."""


def image_set_fault(found: object, workload: Workload) -> str:
    """Of what ``open`` gave for the size of the workload's network; no image is read."""
    if not isinstance(found, ImageSet):
        return f"open() gave {kind(found)}, expected an ImageSet"
    network = workload.network
    if type(found.count) is not int or found.count < 1:
        return f"open() gave an ImageSet with count {shown(found.count)}, expected a whole number of 1 or more"
    if (found.height, found.width) != (network.height, network.width):
        return f"open() gave images of {found.height}x{found.width}, expected {network.height}x{network.width}"
    if fault := _per_image("labels", found.labels, found.count, "int32", network.classes - 1):
        return fault
    if found.split is None:
        return "open() gave an ImageSet without a split, expected uint8 of TRAIN, VALIDATION and TEST"
    if fault := _per_image("split", found.split, found.count, "uint8", TEST):
        return fault
    for name in ("description", "fingerprint"):
        value = getattr(found, name)
        if not isinstance(value, str) or not value.strip():
            return f"open() gave an ImageSet with {name} {shown(value)}, expected text"
    if fault := _words_fault(found):
        return f"open() gave an ImageSet whose {fault}"
    return "" if callable(found.read) else f"open() gave an ImageSet whose read is {kind(found.read)}, expected a function"


def _words_fault(found: ImageSet) -> str:
    """Of what an image set says of itself, which is printed and recorded."""
    lines: dict[str, object] = {}
    for name in ("understood", "remarks"):
        given = getattr(found, name)
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MOST_LINES:
            return f"{name} is {shown(given)}, expected a list of {MOST_LINES:,} lines at most"
        lines |= {f"{name}[{place}]": line for place, line in enumerate(given)}
    texts = {name: getattr(found, name) for name in ("description", "fingerprint", "unlabelled")} | lines
    return next((fault for name, text in texts.items() if (fault := text_fault(name, text))), "")


def _per_image(name: str, values: object, count: int, dtype: str, most: int) -> str:
    if values is None:
        return ""
    if not isinstance(values, np.ndarray) or values.dtype != dtype or values.shape != (count,):
        return f"open() gave {name} that are {form(values)}, expected {dtype} ({count},)"
    outside = values[(values < 0) | (values > most)]
    return f"open() gave {name} with the value {outside[0]}, expected 0 to {most}" if outside.size else ""


def images_fault(found: object, count: int, height: int, width: int) -> str:
    """Of what ``read`` gave for ``count`` indices."""
    if isinstance(found, np.ndarray) and found.dtype == np.uint8 and found.shape == (count, height, width, 3):
        return ""
    return f"read() gave {form(found)}, expected uint8 ({count}, {height}, {width}, 3)"


def decoded_fault(found: object, height: int, width: int) -> str:
    """Of what ``decode`` gave for one file."""
    if not isinstance(found, tuple) or len(found) != 2:
        return f"decode() gave {kind(found)}, expected an image and the number of pixels that its file holds"
    image, pixels = found
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape != (height, width, 3):
        return f"decode() gave {form(image)}, expected uint8 ({height}, {width}, 3)"
    if not isinstance(pixels, int | np.integer) or pixels < 1:
        return f"decode() gave {shown(pixels)} for the file's pixels, expected a whole number of 1 or more"
    return ""


def files_fault(found: object) -> str:
    """Of what ``files`` gave."""
    if not isinstance(found, Sequence) or isinstance(found, str) or not all(isinstance(file, Path) for file in found):
        return f"files() gave {kind(found)}, expected a list of Path"
    return ""


def told(text: str, request: DataRequest) -> str:
    """The name or folder of the user's that a description tells; empty where it tells none."""
    places = [place for place in (request.path, request.labels) if place is not None]
    names = {part for place in places for part in (str(place), place.name, *map(str, place.parents)) if len(part) > 2}
    return next((name for name in sorted(names, key=len, reverse=True) if name in text), "")


def form(value: object) -> str:
    """An array's type and shape, as ``float64 (8, 3)``; another value's type."""
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else kind(value)
