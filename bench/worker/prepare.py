"""Before any trial: decode a workload's images once into arrays on disk, which every trial maps.

The folder is a cache keyed by the images, the size and this format, so a second run starts at once; sets larger than memory
work, since neither writing nor mapping needs the whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.contract import TEST, VALIDATION, DataReader, DataRequest, ImageSet, Workload
from bench.errors import DataError, PluginError
from bench.files import held, replacing
from bench.recipes import views_of
from bench.record.schema import DataFacts, WorkloadFacts, like
from bench.spec.counts import forward_elements, forward_flops, parameter_count, training_elements, training_flops
from bench.verify.golden import calibrated_weights, checked_golden, workload_digest
from bench.worker.answers import Looked, Prepared
from bench.worker.channel import Channel
from bench.worker.feed import FILES, load_arrays, load_split
from bench.worker.full_training import load_images
from bench.worker.jobs import DataSpec, Look, Prepare
from bench.worker.kept import CALIBRATED, IMAGES, LABELS, SPLIT, damage, keep
from bench.worker.offered import text_fault
from bench.worker.plugins import find_workload
from bench.worker.quality import constant_measures
from bench.worker.reading import decoded_fault, files_fault, image_set_fault, images_fault

FORMAT = 2
CHUNK_BYTES = 64 * 2**20
FILES_MEASURED = 16


def prepare(job: Prepare, channel: Channel) -> Prepared:
    """Fill the cache folder for one workload, size and source of images."""
    workload = find_workload(job.plugin, job.workload, job.size)
    request = to_request(job.data)
    cache = Path(job.cache)
    if workload.data is None:
        raise DataError(f"workload {job.workload}-{job.size} has no images to read")
    channel.stage("data")
    whose = _whose(job)
    with _full_disk_named(cache):
        files, no_files = _files(workload.data, request, cache, whose) if job.files else ([], "not asked for")
    images = workload.data.open(request, workload.network.height, workload.network.width)
    _refuse(image_set_fault(images, workload), whose)
    folder = _folder(cache, workload, images)
    with _full_disk_named(cache), _alone(cache / f"{folder.name}.lock", channel):
        with channel.busy():
            wrong = damage(folder) if folder.exists() else "nothing there"
        if wrong:
            print(f"decoding images into {folder}: {wrong}", flush=True)
            _fill(folder, workload, images, channel, whose)
        if files:
            _list_files(folder, files)
    facts = _data_facts(job.data, images, _megapixels(workload, files, whose))
    with channel.busy():
        golden, _ = checked_golden(workload)
        untrainable = _untrainable(folder, workload)
    return Prepared(
        folder=str(folder),
        workload=workload_facts(workload),
        data=facts,
        files=len(files),
        no_files=no_files,
        golden_images=golden.images,
        constant=_constant(folder) if images.labels is not None else {},
        untrainable=untrainable,
        unlabelled=images.unlabelled,
        remarks=list(images.remarks),
    )


def look(job: Look, channel: Channel) -> Looked:
    """Return what there is of a workload's images, without decoding any. Raises DataError as ``prepare`` does."""
    workload = find_workload(job.plugin, job.workload, job.size)
    if workload.data is None:
        raise DataError(f"workload {job.workload}-{job.size} has no images to read")
    channel.stage("data")
    images = workload.data.open(to_request(job.data), workload.network.height, workload.network.width)
    _refuse(image_set_fault(images, workload), _whose(job))
    return Looked(data=_data_facts(job.data, images, None), unlabelled=images.unlabelled)


def _whose(job: Prepare | Look) -> str:
    return f"plugin '{job.plugin.name}' ({job.plugin.module}), workload '{job.workload}'"


def _data_facts(data: DataSpec, images: ImageSet, megapixels: float | None) -> DataFacts:
    synthetic, labelled = data.path is None, images.labels is not None
    understood = list(images.understood)
    return like(DataFacts, images, synthetic=synthetic, labelled=labelled, megapixels=megapixels, understood=understood)


@contextmanager
def _full_disk_named(cache: Path) -> Iterator[None]:
    """Raises DataError, which names the cache and what moves it, where its disk or the user's share of it is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DataError(
            f"the cache {cache} is full ({error.strerror}); free some space, as with 'bench cache --clear', or choose another folder "
            "with BENCH_CACHE"
        ) from None


@contextmanager
def _alone(lock: Path, channel: Channel) -> Iterator[None]:
    """Hold a lock of the cache. While another run prepares the same images, say that it is waited for, which is no stall."""
    with ExitStack() as stack:
        if not stack.enter_context(held(lock, "BENCH_CACHE", wait=False)):
            channel.beat(0, 0, "another run prepares the same images, and is waited for")
            with channel.busy():
                stack.enter_context(held(lock, "BENCH_CACHE"))
        yield


def _refuse(fault: str, whose: str) -> None:
    if fault:
        raise PluginError(f"{whose}: {fault}")


def _constant(folder: Path) -> dict[str, float]:
    """What a constant answer reaches on the validation images."""
    return constant_measures(load_arrays(folder)[1][load_split(folder) == VALIDATION])


def _untrainable(folder: Path, workload: Workload) -> str:
    try:
        load_images(folder, workload, (TEST,))
    except DataError as error:
        return str(error)
    return ""


def to_request(data: DataSpec) -> DataRequest:
    """The contract's form of the command line's wishes."""
    fields = msgspec.structs.asdict(data)
    paths = {name: None if fields[name] is None else Path(fields[name]) for name in ("path", "labels")}
    return DataRequest(**(fields | paths))


def workload_facts(workload: Workload) -> WorkloadFacts:
    """What a record keeps of a workload."""
    return like(
        WorkloadFacts,
        workload,
        digest=workload_digest(workload),
        height=workload.network.height,
        width=workload.network.width,
        views=views_of(workload.recipe.views, workload.network.height, workload.network.width),
        parameters=parameter_count(workload.network),
        forward_flops=forward_flops(workload.network),
        training_flops=training_flops(workload.network),
        forward_elements=forward_elements(workload.network),
        training_elements=training_elements(workload.network),
    )


def _files(reader: DataReader, request: DataRequest, cache: Path, whose: str) -> tuple[list[Path], str]:
    folder = cache / f"jpeg-{request.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        found = reader.files(request, folder)
    except DataError as error:
        return [], str(error)
    _refuse(files_fault(found), whose)
    files = list(found)
    return files, "" if files else "the data hold no image files to decode"


def _list_files(folder: Path, files: list[Path]) -> None:
    """Write the list that trials read. The folder is shared: a run that wants no files leaves another run's list as it is, and a trial
    that reads meanwhile finds a whole one."""
    with replacing(folder / FILES) as place:
        place.write_text(json.dumps([str(file) for file in files]))


def _megapixels(workload: Workload, files: list[Path], whose: str) -> float | None:
    """Mean size of the original files, from some of them."""
    if not files or workload.data is None:
        return None
    some = files[:: -(-len(files) // FILES_MEASURED)]
    network = workload.network
    decoded = [workload.data.decode(file, network.height, network.width) for file in some]
    for one in decoded:
        _refuse(decoded_fault(one, network.height, network.width), whose)
    _refuse(text_fault("lowering", getattr(workload.data, "lowering", "")), whose)
    return sum(pixels for _, pixels in decoded) / len(some) / 1e6


def _folder(cache: Path, workload: Workload, images: ImageSet) -> Path:
    identity = [FORMAT, images.fingerprint, images.count, images.height, images.width, workload_digest(workload)]
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    return cache / f"{workload.name}-{workload.size}-{key}"


def _fill(folder: Path, workload: Workload, images: ImageSet, channel: Channel, whose: str) -> None:
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shape = (images.count, images.height, images.width, 3)
    _check_space(part, int(np.prod(shape)))
    pixels = np.lib.format.open_memmap(part / IMAGES, mode="w+", dtype=np.uint8, shape=shape)
    _allocate(part / IMAGES)
    # Shuffled once and for all: any slice is a fair batch, and batches are views that cost nothing to make.
    order = np.random.default_rng(workload.seed).permutation(images.count).astype(np.int64)
    step = max(1, CHUNK_BYTES // int(np.prod(shape[1:])))
    for start in range(0, images.count, step):
        chosen = order[start : start + step]
        read = images.read(chosen)
        _refuse(images_fault(read, len(chosen), *shape[1:3]), whose)
        pixels[start : start + len(chosen)] = read
        channel.beat(start + len(chosen), images.count, "images decoded")
    with channel.busy():
        pixels.flush()
    labels = images.labels
    if labels is None:
        labels = np.arange(images.count, dtype=np.int32) % len(workload.classes)
    np.save(part / LABELS, labels[order].astype(np.int32))
    np.save(part / SPLIT, images.split[order])
    with channel.busy():
        _, batches = checked_golden(workload)
        calibrated: dict[str, Any] = dict(calibrated_weights(workload, batches[0]))
    np.savez(part / CALIBRATED, **calibrated)
    with channel.busy():
        keep(part, {"description": images.description, "count": images.count})
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def _allocate(file: Path) -> None:
    """Take the whole file's space now: writing through a map to a disk that has become full ends the process with SIGBUS.

    Raises OSError where there is no room; a file system that cannot reserve space is taken as it is.
    """
    with file.open("r+b") as opened:
        try:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"the decoded images need {needed / 2**30:.1f} GiB, but only {free / 2**30:.1f} GiB are free in the cache; "
            "free some, as with 'bench cache --clear', or choose another folder with BENCH_CACHE"
        )
