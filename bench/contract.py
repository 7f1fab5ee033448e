"""Everything a plugin needs to know, on one page.

A plugin is a module, named by an entry point in the group ``bench``, with any of three hooks::

    from bench.contract import hookimpl

    @hookimpl
    def bench_backends():
        return [MyBackend()]

``docs/writing-a-backend.md`` walks through one; ``bench.testing`` is the conformance kit that tells whether it is right.
Importing a plugin must be cheap: import the framework inside ``probe``, ``trainer`` and ``predictor``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from bench.precisions import PRECISIONS
from bench.recipes import SHARES, VIEWS
from bench.spec import CrossEntropy, Network, Optimizer, Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "PRECISIONS",
    "SHARES",
    "TEST",
    "TRAIN",
    "VALIDATION",
    "Backend",
    "DataReader",
    "DataRequest",
    "Device",
    "Group",
    "Hooks",
    "ImageSet",
    "Pending",
    "Predictor",
    "Probe",
    "Progress",
    "Recipe",
    "Reporter",
    "Settings",
    "Staged",
    "Trainer",
    "UnsupportedLayer",
    "Workload",
    "hookimpl",
]

_hookspec = pluggy.HookspecMarker("bench")
hookimpl = pluggy.HookimplMarker("bench")


# ---- what a backend says about itself ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Device:
    """One processor a backend can see."""

    id: str  # what --device takes: "cpu", "cuda:0", "jax:gpu:0"
    kind: str  # "cpu", "gpu", "tpu", …
    name: str  # "NVIDIA H200"; "" where it is the host's processor, which the harness names
    precisions: tuple[str, ...]  # of PRECISIONS, those the device computes itself
    physical: str  # the processor behind it, the same for every backend: "host", or kind and visible index, "gpu:0"
    memory_bytes: int | None = None
    trains: bool = True  # False: inference only
    joins: bool = False  # True: can be one of several ranks, as ``Settings.group`` says


@dataclass(frozen=True)
class Probe:
    """What a backend found on this machine: devices, or one sentence on why there are none and what to install."""

    devices: tuple[Device, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Group:
    """The ranks that run one case together: processes with a device each, which the backend connects through its framework."""

    rank: int  # of this process, 0 to size - 1
    size: int  # how many ranks there are
    address: str  # "host:port" where they meet; rank 0 listens there


@dataclass(frozen=True)
class Settings:
    """How one case is to be run."""

    precision: str
    batch_size: int
    threads: int  # host threads the backend may use
    cache_dir: Path | None = None  # compiled programs may be kept here
    options: Mapping[str, str] = field(default_factory=dict)  # the backend's own, from --option NAME=VALUE
    group: Group | None = None  # None: this process alone. Otherwise only where the device joins; ``batch_size`` is per rank


# ---- what a backend builds -----------------------------------------------------------------------------------------

Staged = Any
Pending = Any


@dataclass(frozen=True)
class Progress:
    """What a finished block of optimizer steps gives back."""

    losses: NDArray[np.floating]  # (steps,); of a group, means over all its ranks
    witness: float  # the sum of squares of all trained tensors after the block, computed on the device


class Trainer(Protocol):
    """A network being trained. Each Staged is used once, in order; at most two blocks are in flight.

    In a group each rank stages its own slice of the batch, over which BatchNorm takes its statistics; gradients are means over
    the whole group, so that after each step all ranks have the same trained tensors.
    """

    def stage(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> Staged:
        """Copy a batch of ``settings.batch_size`` to the device. images (batch, height, width, 3), labels (batch,).

        The harness changes neither until ``wait``, and keeps neither alive: who copies later keeps a reference.
        """
        ...

    def run(self, block: Sequence[Staged]) -> Pending:
        """Enqueue one optimizer step per staged batch; may return at once."""
        ...

    def wait(self, pending: Pending) -> Progress:
        """Block until that block is done."""
        ...

    def weights(self) -> Weights:
        """Every tensor, canonical names and layouts, running statistics included; float64 when precision is float64."""
        ...


class Predictor(Protocol):
    """A network with frozen weights. Each Staged is used once, in order; two batches are in flight, or ``in_flight``."""

    def stage(self, images: NDArray[np.uint8]) -> Staged:
        """Copy a batch of ``settings.batch_size`` to the device. images (batch, height, width, 3); perhaps a view into a larger array.

        Unchanged until ``wait``, and kept alive by nobody else, as with a trainer.
        """
        ...

    def run(self, staged: Staged) -> Pending:
        """Enqueue the forward pass; may return at once."""
        ...

    def wait(self, pending: Pending) -> NDArray[np.floating]:
        """Block until done: that batch's class probabilities (batch, classes), in the images' order."""
        ...


# Trainer and Predictor may also have
#   compile() -> None           build the executables for the shapes in the settings: timed as a stage of its own
#   lowering: str               which of several lowerings runs, recorded: "patches-matmul"
#   device_memory() -> int      peak bytes the process set aside on the device so far, free parts of its pools included
# A Predictor may also have
#   in_flight: int              how many batches it can use in flight in offline inference: 1 to 1,024; 2 where it is absent


class Backend(Protocol):
    """One framework on one kind of device."""

    name: str

    def probe(self) -> Probe:
        """Devices, precisions and versions. Must not raise where the framework or the hardware is missing."""
        ...

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Trainer:
        """A trainer that starts from ``weights`` at optimizer step 0."""
        ...

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Predictor:
        """A predictor with these weights."""
        ...

    # May also have:  environment: Mapping[str, str]   variables set in the worker before anything is imported
    #                 options: Sequence[str]           names that --option may set, found in settings.options
    #                 layers: Sequence[type]           the leaf layers of bench.spec that it has, so that plans name one it lacks
    #                 alternatives(workload, phase: str, settings) -> Sequence[Mapping[str, str]]
    #                     options worth trying for this case, the usual ones first: a pilot keeps what is fastest


class UnsupportedLayer(Exception):
    """Raised by ``trainer`` or ``predictor`` for a layer the backend lacks: the case is skipped, and the layer named."""


# ---- what a workload is --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DataRequest:
    """Where images come from, as the command line says it. ``path`` None asks for the workload's synthetic images."""

    path: Path | None = None
    labels: Path | None = None  # a CSV, where the labels are not beside the images
    image_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None  # lesion or patient: never split between train and test
    positive: tuple[str, ...] = ()  # label values that mean the positive class
    count: int = 2048  # how many synthetic images
    seed: int = 0


TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class ImageSet:
    """Images that can be read at one size, in pieces, so that sets larger than memory work."""

    count: int
    height: int
    width: int
    labels: NDArray[np.int32] | None  # (count,); None: unlabelled, good for speed only
    split: NDArray[np.uint8]  # (count,) of TRAIN, VALIDATION, TEST; by SHARES where the data bring no split of their own
    description: str  # for people; names no image and no path
    fingerprint: str  # changes when the images or their labels do
    read: Callable[[NDArray[np.int64]], NDArray[np.uint8]]  # indices (n,) to images (n, height, width, 3)
    understood: Sequence[str] = ()  # classes, split, groups and what was left out, for people and the record; names nothing
    remarks: Sequence[str] = ()  # what else to tell the user, who may be told names of files; never recorded
    unlabelled: str = ""  # why there are no labels, in one sentence, where the data seemed to hold some


class DataReader(Protocol):
    """How a workload gets its images."""

    def open(self, request: DataRequest, height: int, width: int) -> ImageSet:
        """Find the images and check the labels; decode nothing yet. Raises DataError."""
        ...

    def files(self, request: DataRequest, folder: Path) -> Sequence[Path]:
        """JPEG files to time preprocessing on; synthetic ones are written to ``folder``. Raises DataError."""
        ...

    def decode(self, file: Path, height: int, width: int) -> tuple[NDArray[np.uint8], int]:
        """Decode, resize and crop one file: the image (height, width, 3), and the pixels that the file holds."""
        ...

    # May also have:  lowering: str   what decodes files here, recorded: "simplejpeg 1.9.0 and OpenCV 5.0.0"


@dataclass(frozen=True)
class Recipe:
    """How a whole training is run, beside network, loss, optimizer and schedule.

    What is random here comes from streams of the harness, so every backend sees the same batches. ``targets`` are measures on
    the validation images: ``auc``, the mean over classes of the area under the ROC curve of one against the rest, and
    ``accuracy``; a training is good enough when all of them are reached.
    """

    flips: bool = True  # each image flipped and turned by quarters at random
    shift: int = 0  # each image moved by up to so many pixels either way, what enters mirrored at its edge
    averaging: float = 0.0  # decay of the weights' moving average, taken eight times an epoch; 0: none
    views: int = (
        VIEWS  # of each image, whose predictions are averaged: 4, its mirror images, or 8, also those of its transpose
    )
    targets: Mapping[str, float] = field(default_factory=dict)
    synthetic_targets: Mapping[str, float] = field(default_factory=dict)  # on the workload's own synthetic images


@dataclass(frozen=True)
class Workload:
    """Framework-neutral data: everything that decides what is computed."""

    name: str
    size: str
    network: Network
    loss: CrossEntropy
    optimizer: Optimizer
    batch_size: int  # of training
    epochs: int  # of one training
    seed: int
    classes: tuple[str, ...]
    data: DataReader | None  # None: nothing to read, as in a ceiling's spec
    golden: Path | None = None  # the oracle's golden file for this size
    summary: str = ""
    recipe: Recipe = field(default_factory=Recipe)


class Reporter(Protocol):
    """A format of ``bench report``; it runs in a process of its own."""

    name: str

    def render(self, report: Mapping[str, Any]) -> str:
        """Return the text. ``report`` is the document that ``bench report --format json`` prints (docs/writing-a-reporter.md)."""
        ...


# ---- the hooks -----------------------------------------------------------------------------------------------------


class Hooks:
    """The hook signatures; a plugin implements any of them."""

    @_hookspec
    def bench_backends(self) -> Sequence[Backend]:  # type: ignore[empty-body]
        """Backends this plugin offers."""

    @_hookspec
    def bench_workloads(self) -> Sequence[Workload]:  # type: ignore[empty-body]
        """Workloads this plugin offers, one object per size."""

    @_hookspec
    def bench_reporters(self) -> Sequence[Reporter]:  # type: ignore[empty-body]
        """Output formats for ``bench report``."""
