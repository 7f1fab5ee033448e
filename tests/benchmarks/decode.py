"""JPEG files to uint8 arrays on one core: ours, and Pillow's ``draft`` and ``resize``, the two in turns, file by file in one process with the
environment of a worker.

Prints files per second, the ratio with its 95 % interval over rounds, and how far either is from Pillow's antialiased result
without scaled decoding: the mean absolute difference of all pixels, in steps of 255. The target is a ratio of 1.8 within 2 steps.

    python tests/benchmarks/decode.py [FOLDER] [SIDE ...]

FOLDER: JPEG files, resized to 600x450 and saved anew at quality 90, as HAM10000's are about; without it, synthetic lesions.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median, stdev

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import stdtrit

from bench.contract import DataRequest
from bench.machine.environment import worker_environment
from workloads.images.decode import decode, fit
from workloads.images.reader import ImageReader
from workloads.images.turbo import decoder

ROUNDS, FILES = 40, 48
SIDES = (224, 64, 28)

Way = Callable[[Path, int], NDArray[np.uint8]]


def ours(file: Path, side: int) -> NDArray[np.uint8]:
    """As ``bench run`` decodes."""
    return decode(file, side, side)[0]


def draft(file: Path, side: int) -> NDArray[np.uint8]:
    """Pillow alone, at the fraction of the size that still covers the target."""
    with Image.open(file) as image:
        scale = max(side / image.width, side / image.height)
        image.draft("RGB", (math.ceil(image.width * scale), math.ceil(image.height * scale)))
        return np.asarray(fit(image, side, side))


def whole(file: Path, side: int) -> NDArray[np.uint8]:
    """Pillow's antialiased result from all pixels."""
    with Image.open(file) as image:
        return np.asarray(fit(image.convert("RGB"), side, side))


def files_of(folder: Path | None, place: Path) -> list[Path]:
    """The files to decode, 600x450."""
    if folder is None:
        return list(ImageReader(("other", "melanoma")).files(DataRequest(), place))[:FILES]
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in {".jpg", ".jpeg"})[:FILES]
    for number, file in enumerate(found):
        with Image.open(file) as image:
            image.convert("RGB").resize((600, 450), Image.Resampling.LANCZOS).save(place / f"{number}.jpg", quality=90)
    return [place / f"{number}.jpg" for number in range(len(found))]


def measure(files: list[Path], side: int) -> None:
    """Print one side's line."""
    ways: dict[str, Way] = {"ours": ours, "draft": draft}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        spent = dict.fromkeys(ways, 0.0)
        for file in files:
            for name in list(ways)[:: 1 if number % 2 else -1]:
                started = time.perf_counter()
                ways[name](file, side)
                spent[name] += time.perf_counter() - started
        if number:  # the first round warms up
            for name, total in spent.items():
                seconds[name].append(total / len(files))
    logs = [math.log(theirs / own) for theirs, own in zip(seconds["draft"], seconds["ours"], strict=True)]
    half = float(stdtrit(ROUNDS - 1, 0.975)) * stdev(logs) / math.sqrt(ROUNDS)
    off = {
        name: mean(float(np.abs(way(file, side).astype(int) - whole(file, side)).mean()) for file in files)
        for name, way in ways.items()
    }
    rates = {name: 1 / median(times) for name, times in seconds.items()}
    low, middle, high = (math.exp(mean(logs) + sign * half) for sign in (-1, 0, 1))
    print(
        f"{side}x{side}: ours {rates['ours']:,.0f}/s, off by {off['ours']:.2f}; Pillow draft {rates['draft']:,.0f}/s, off by "
        f"{off['draft']:.2f}; ratio {middle:.2f} ({low:.2f} to {high:.2f})"
    )


def main() -> None:
    """Every side in turn."""
    words = sys.argv[1:]
    folder = Path(words.pop(0)) if words and not words[0].isdigit() else None
    with tempfile.TemporaryDirectory() as name:
        files = files_of(folder, Path(name))
        print(f"{len(files)} files of 600x450, one core, {decoder()}; Pillow {Image.__version__}")
        for side in map(int, words or map(str, SIDES)):
            measure(files, side)


if __name__ == "__main__":
    wanted = worker_environment(1, {})
    if not wanted.items() <= os.environ.items():  # the allocator's settings must be there from the start
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | wanted)
    main()
