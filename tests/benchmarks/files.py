"""What training from JPEG files costs against the same training from memory, in turns.

    python tests/benchmarks/files.py [FOLDER] [--size small|standard] [--precision fp32|bf16] [--groups N]

FOLDER: JPEG files; without it, 64 synthetic lesions of 600x450. The device is the host's processor, so decoding cannot hide behind
training: the tax is at least one image's decoding on all cores, over one image's training.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from contest import GROUPS, Program, Work, as_worker, contest
from peers import BATCH, TURN, backend, settings, workload

from bench.contract import DataRequest
from bench.machine.host import usable_cores
from bench.spec.weights import initial_weights
from bench.worker.feed import FILES, Batches, Feed, FileFeed

MOST_FILES = 256


def prepare(size: str, source: Path | None, folder: Path) -> None:
    """The files' list, and what they decode to."""
    spec = workload(size)
    assert spec.data is not None
    files = list(spec.data.files(DataRequest(path=source), folder))[:MOST_FILES]
    (folder / FILES).write_text(json.dumps([str(file.absolute()) for file in files]))
    network = spec.network
    np.save(folder / "images.npy", np.stack([spec.data.decode(file, network.height, network.width)[0] for file in files]))
    np.save(folder / "labels.npy", (np.arange(len(files)) % 2).astype(np.int32))


def training(size: str, precision: str, folder: str, from_files: bool) -> Work:
    """One optimizer step."""
    spec, place = workload(size), Path(folder)
    trainer = backend("cpu").trainer(spec, initial_weights(spec.network, 0), "cpu", settings(precision, BATCH, {}))
    getattr(trainer, "compile", lambda: None)()
    feed: Batches = Feed(place, BATCH, 0)
    if from_files:
        feed = FileFeed(place, spec, BATCH, 0, usable_cores(), ahead=False)

    def work() -> int:
        trainer.wait(trainer.run([trainer.stage(*feed.next())]))
        return BATCH

    return work


def main() -> None:
    """A row per size and precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--size", action="append", choices=["small", "standard"])
    parser.add_argument("--precision", action="append", choices=["fp32", "bf16"])
    parser.add_argument("--groups", type=int, default=GROUPS, help="groups of fresh processes")
    given = parser.parse_args()
    precisions = given.precision or [p for p in ("fp32", "bf16") if p in backend("cpu").probe().devices[0].precisions]
    for size in given.size or ["small", "standard"]:
        with tempfile.TemporaryDirectory() as name:
            prepare(size, given.folder, Path(name))
            for precision in precisions:
                shared = {"size": size, "precision": precision, "folder": name}
                ways = [Program(way, training, shared | {"from_files": way == "files"}) for way in ("memory", "files")]
                outcome = contest(ways, groups=given.groups, turn=TURN[size])
                ratio = outcome.ratio("memory", "files")
                low, tax, high = (100 * (value - 1) for value in (ratio.low, ratio.middle, ratio.high))
                rates = ", ".join(f"{way.name} {outcome.rate(way.name):.4g}/s" for way in ways)
                print(f"{size} {precision} batch {BATCH}: {rates}; tax {tax:.2f} % ({low:.2f} to {high:.2f} %)", flush=True)


if __name__ == "__main__":
    as_worker()
    main()
