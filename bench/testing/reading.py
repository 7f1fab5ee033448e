"""What the contract asks of a data reader: images of the right form, labels in range, nothing of the user's told, and the same every time.

Every function takes a ``Reading`` and returns checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract import DataReader, DataRequest, ImageSet, Workload
from bench.errors import DataError
from bench.record.schema import Check
from bench.worker.offered import say
from bench.worker.reading import decoded_fault, files_fault, image_set_fault, images_fault, told

MOST_READ, MOST_DECODED = 64, 8


@dataclass(frozen=True)
class Reading:
    """A workload whose reader is examined, what it is asked for, and a folder that it may write to."""

    workload: Workload
    request: DataRequest
    folder: Path

    @property
    def reader(self) -> DataReader:
        """The workload's reader."""
        assert self.workload.data is not None, "a workload without a reader has nothing to examine"
        return self.workload.data

    def open(self, request: DataRequest | None = None) -> ImageSet:
        """The image set for the request, or for another one. Raises DataError where the reader does."""
        return self.reader.open(request or self.request, *self.size)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self.workload.network.height, self.workload.network.width


def _check(name: str, fault: str) -> Check:
    return Check(name=name, passed=not fault, detail=fault)


def check_image_set(reading: Reading) -> list[Check]:
    """Count, size, labels and split; a description and a fingerprint that tell nothing of where the images lie."""
    found = reading.open()
    fault = image_set_fault(found, reading.workload)
    checks = [_check("image set", fault)]
    if not fault:
        for name in ("description", "fingerprint"):
            leak = told(getattr(found, name), reading.request)
            checks.append(_check(f"nothing told by the {name}", f"it holds '{leak}', which is the user's" if leak else ""))
    return checks


def check_images(reading: Reading) -> list[Check]:
    """``read``: uint8 and three channels, in the order of the indices, and each image the same whatever is read beside it."""
    found = reading.open()
    if fault := image_set_fault(found, reading.workload):
        return [_check("images", fault)]
    order = np.random.default_rng(0).permutation(found.count)[:MOST_READ].astype(np.int64)
    images = found.read(order)
    fault = images_fault(images, len(order), *reading.size)
    if fault:
        return [_check("images", fault)]
    alone = found.read(order[-1:])
    fault = images_fault(alone, 1, *reading.size)
    backwards = found.read(order[::-1])
    again = found.read(np.repeat(order[:1], 2))
    kept = images.copy()
    if images.flags.writeable:
        images[...] = 0
    mine = np.array_equal(found.read(order), kept)
    return [
        _check("images", fault),
        _check("an image alone", _unless(np.array_equal(alone, kept[-1:]), "an image differs when it is read alone")),
        _check(
            "order of indices", _unless(np.array_equal(backwards[::-1], kept), "images do not come in the indices' order")
        ),
        _check("an index twice", _unless(np.array_equal(again, kept[[0, 0]]), "an image differs when it is read twice")),
        _check("images are copies", _unless(mine, "images that were read before change what is read later")),
    ]


def check_determinism(reading: Reading) -> list[Check]:
    """The same request gives the same images, labels, split and fingerprint; synthetic images of another seed have another fingerprint."""
    first, second = reading.open(), reading.open()
    if fault := image_set_fault(first, reading.workload) or image_set_fault(second, reading.workload):
        return [_check("the same every time", fault)]
    order = np.arange(min(first.count, MOST_READ))
    pairs: dict[str, tuple[Any, Any]] = {
        "labels": (first.labels, second.labels),
        "split": (first.split, second.split),
        "images": (first.read(order), second.read(order)),
    }
    differ = [name for name, (one, other) in pairs.items() if not np.array_equal(one, other)]
    if (first.fingerprint, first.description) != (second.fingerprint, second.description):
        differ.append("fingerprint or description")
    checks = [_check("the same every time", f"{' and '.join(differ)} differ when opened again" if differ else "")]
    if reading.request.path is None:
        same = reading.open(replace(reading.request, seed=reading.request.seed + 1)).fingerprint == first.fingerprint
        checks.append(_check("a fingerprint of the images", "another seed has the same fingerprint" if same else ""))
    return checks


def check_files(reading: Reading) -> list[Check]:
    """``files`` that are there, and ``decode`` that gives an image, its file's pixels, and the same again. No checks without files."""
    try:
        files = reading.reader.files(reading.request, reading.folder)
    except DataError:
        return []
    fault = files_fault(files)
    if not fault and not files:
        fault = "files() gave none; raise DataError and say why"
    lost = [] if fault else [number for number, file in enumerate(files) if not file.is_file()]
    checks = [_check("files", f"file {lost[0] + 1} of {len(files)} is not there" if lost else fault)]
    return checks if fault or lost else [*checks, *_decoded(reading, files[:MOST_DECODED])]


def _decoded(reading: Reading, files: Sequence[Path]) -> list[Check]:
    faults, same = [], True
    for file in files:
        found = reading.reader.decode(file, *reading.size)
        fault = decoded_fault(found, *reading.size)
        faults.append(fault)
        same &= bool(fault) or np.array_equal(found[0], reading.reader.decode(file, *reading.size)[0])
    lowering = getattr(reading.reader, "lowering", "")
    return [
        _check("decoded image", next(filter(None, faults), "")),
        _check("decoded the same twice", _unless(same, "a file decodes to another image the second time")),
        _check("lowering", _unless(isinstance(lowering, str), f"lowering is {lowering!r:.60}, expected text")),
    ]


def check_nowhere(reading: Reading) -> list[Check]:
    """A place that is not there is a DataError in one sentence, not an exception of the reader's own."""
    try:
        reading.open(replace(reading.request, path=reading.folder / "not-there"))
    except DataError as error:
        return [
            _check("a place that is not there", "" if len(str(error).splitlines()) == 1 else "DataError of several lines")
        ]
    except Exception as error:
        return [_check("a place that is not there", f"open() raised {say(error)}, expected a DataError")]
    return [_check("a place that is not there", "open() accepted a path where nothing is, expected a DataError")]


def _unless(right: bool, fault: str) -> str:
    return "" if right else fault


READING: tuple[Callable[[Reading], list[Check]], ...] = (
    check_image_set,
    check_images,
    check_determinism,
    check_files,
    check_nowhere,
)
"""In order of what to look at first when several fail."""
