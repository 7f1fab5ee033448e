"""An ImageSet from an npz file in MedMNIST's layout, with the split the file comes with."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import TEST, TRAIN, VALIDATION, DataRequest, ImageSet
from bench.errors import DataError
from workloads.images.decode import fit
from workloads.images.file_set import class_counts
from workloads.images.labels import ClassRules
from workloads.images.npz import Arrays, Member, members
from workloads.images.parallel import by_pieces
from workloads.images.pillow import pillow
from workloads.images.understood import counted, facts

_MOST_COMPARED = 2**31  # bytes of pixels
_PARTS = {"train": TRAIN, "val": VALIDATION, "test": TEST}


def open_npz(file: Path, request: DataRequest, rules: ClassRules, size: tuple[int, int]) -> ImageSet:
    """The images in ``file``, to be read at a size (height, width). Raises DataError."""
    for option in ("labels", "image_column", "label_column", "group_column"):
        if getattr(request, option) is not None:
            dashed = option.replace("_", "-")
            raise DataError(f"--{dashed} is for folders of images: {file.name} holds its own labels; leave the option out")
    found = members(file)
    parts = [part for part in _PARTS if f"{part}_images" in found]
    images = [found[f"{part}_images"] for part in parts]
    _check_images(images, found, file.name)
    arrays = Arrays(file)
    labels = _labels(arrays, found, parts, request, rules, file.name)
    lengths = [member.shape[0] for member in images]
    if labels is not None:
        counts = f"{class_counts(labels, rules.classes)}, split as given"
    elif request.positive:
        raise DataError(f"--positive {request.positive[0]:.60} chooses a label, but {file.name} holds none; leave it out")
    else:
        counts = "without labels, split as given"
    split = np.repeat(np.array([_PARTS[part] for part in parts], np.uint8), lengths)
    return ImageSet(
        count=sum(lengths),
        height=size[0],
        width=size[1],
        labels=labels,
        split=split,
        description=f"npz in MedMNIST's layout, {sum(lengths):,} images of {_size(images[0])}, {counts}",
        fingerprint=_fingerprint(images, labels),
        read=_Reader(arrays, images, size),
        understood=()
        if labels is None
        else (*facts(labels, rules.classes, split, "split as the file gives it"), *_copies(arrays, images)),
    )


def _check_images(images: Sequence[Member], found: Mapping[str, Member], file: str) -> None:
    if not images:
        names = ", ".join(sorted(found)[:8]) or "nothing"
        raise DataError(f"{file} holds {names}: expected train_images, train_labels and so on, as in MedMNIST")
    for member in images:
        grey, colour = len(member.shape) == 3, len(member.shape) == 4 and member.shape[3] in (1, 3)
        if member.dtype != np.uint8 or not (grey or colour) or 0 in member.shape[1:]:
            raise DataError(
                f"{file} holds {member.name} of shape {member.shape} and type {member.dtype}: expected uint8 (N, H, W, 3) or "
                "(N, H, W); save it again in that form"
            )
        if member.shape[1:] != images[0].shape[1:]:
            sizes = f"{images[0].name} of {_size(images[0])} but {member.name} of {_size(member)}"
            raise DataError(f"{file} holds {sizes}: expected one size and kind of image; save it again in that form")
    if sum(member.shape[0] for member in images) == 0:
        raise DataError(f"{file} holds no image at all: expected one or more in {images[0].name}")


def _size(member: Member) -> str:
    return f"{member.shape[2]}x{member.shape[1]}"


def _labels(
    arrays: Arrays, found: Mapping[str, Member], parts: Sequence[str], request: DataRequest, rules: ClassRules, file: str
) -> NDArray[np.int32] | None:
    """Class indices (n,); None where the file has no labels at all."""
    labelled = [part for part in parts if f"{part}_labels" in found]
    if not labelled:
        return None
    raw = []
    for part in parts:
        member, count = found.get(f"{part}_labels"), found[f"{part}_images"].shape[0]
        if member is None or member.shape not in ((count,), (count, 1)) or member.dtype.kind not in "biu":
            what = "no such array" if member is None else f"shape {member.shape}, type {member.dtype}"
            raise DataError(f"{file}: {part}_labels has {what}; expected one whole number for each of {count:,} images")
        raw.append(arrays.get(member).reshape(-1).astype(np.int64))
    values, places, counts = np.unique(np.concatenate(raw), return_inverse=True, return_counts=True)
    names = [str(value) for value in values.tolist()]
    by_value = dict(zip(names, counts.tolist(), strict=True))
    classes = rules.assign(by_value, request.positive, f"the labels of {file}", numbered=True)
    return np.array([classes[name] for name in names], np.int32)[places.reshape(-1)]


def _fingerprint(images: Sequence[Member], labels: NDArray[np.int32] | None) -> str:
    """SHA-256 over the zip's checksums of the images, and the labels: the pixels count, and need not be read."""
    digest = hashlib.sha256()
    for member in images:
        digest.update(f"{member.name}|{member.shape}|{member.checksum}|".encode())
    digest.update(b"none" if labels is None else labels.astype("<i4").tobytes())
    return digest.hexdigest()


def _copies(arrays: Arrays, images: Sequence[Member]) -> list[str]:
    """What to say of equal images in several parts; nothing of sets too large to look through on the way."""
    if sum(prod(member.shape) for member in images) > _MOST_COMPARED:
        return []
    parts: defaultdict[bytes, set[int]] = defaultdict(set)
    try:
        for part, member in enumerate(images):
            for pixels in arrays.get(member):
                parts[hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()].add(part)
    except DataError:  # whoever reads the images will say what is wrong
        return []
    shared = sum(len(found) > 1 for found in parts.values())
    return [f"warning: {counted(shared, 'image')} in several parts with equal pixels"] if shared else []


class _Reader:
    """Reads images (n, height, width, 3) by their place in the row of all parts."""

    def __init__(self, arrays: Arrays, images: Sequence[Member], size: tuple[int, int]) -> None:
        self._arrays, self._images, self._size = arrays, images, size
        self._starts = np.cumsum([0, *(member.shape[0] for member in images)])

    def __call__(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return by_pieces(self._read, indices, *self._size, piece=256)

    def _read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        out = np.empty((len(indices), *self._size, 3), np.uint8)
        parts = np.searchsorted(self._starts, indices, side="right") - 1
        for part in np.unique(parts):
            chosen = parts == part
            out[chosen] = self._fitted(self._arrays.get(self._images[part])[indices[chosen] - self._starts[part]])
        return out

    def _fitted(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        if pixels.ndim == 3:
            pixels = pixels[..., None]
        pixels = np.broadcast_to(pixels, (*pixels.shape[:3], 3))
        if pixels.shape[1:3] == self._size:
            return pixels
        image, (height, width) = pillow(), self._size
        return np.stack([np.asarray(fit(image.fromarray(one), width, height)) for one in np.ascontiguousarray(pixels)])
