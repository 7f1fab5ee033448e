"""What workers answer, as plain data that the parent can read without NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from bench.entry_points import PluginRef
from bench.record.damage import DAMAGE
from bench.record.schema import Check, DataFacts, Energy, Evaluation, WorkloadFacts
from bench.worker.jobs import (
    Blocks,
    Common,
    Describe,
    Look,
    MakeGolden,
    Measure,
    MeasureCeiling,
    Prepare,
    Render,
    Search,
    Train,
    Verify,
)


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """``bench.contract.Device`` as JSON."""

    id: str
    kind: str
    name: str
    precisions: tuple[str, ...]
    physical: str
    memory: int | None
    trains: bool
    joins: bool = False


class BackendInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One backend of a plugin; without ``probed`` nothing is known of its devices."""

    name: str
    environment: dict[str, str]
    probed: bool
    devices: list[DeviceInfo] = []
    versions: dict[str, str] = {}
    reason: str = ""
    broken: bool = False  # whether the reason is that probe() broke its contract
    options: tuple[str, ...] = ()
    alternatives: bool = False  # whether it has any, for some case
    layers: tuple[str, ...] | None = None  # that it says it has, by their classes' names; None: it does not say


class WorkloadInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One size of one workload."""

    name: str
    size: str
    summary: str
    batch_size: int
    epochs: int
    targets: dict[str, float] = {}  # on real images
    synthetic_targets: dict[str, float] = {}
    layers: dict[str, str] = {}  # the first path of each leaf layer's class
    broken: str = ""  # why it cannot be used; then only its name and size are known


class PluginInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one plugin offers."""

    backends: list[BackendInfo]
    workloads: list[WorkloadInfo]
    reporters: list[str]
    version: str


class Surveyed(msgspec.Struct, frozen=True, kw_only=True):
    """What an interpreter would measure with."""

    protocol: int
    version: str
    plugins: list[PluginRef]
    folders: dict[str, str]  # hashed folder of ``bench`` and of each plugin's top package, by package name


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said of a workload's images before any is decoded."""

    data: DataFacts
    unlabelled: str = ""  # as in Prepared


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """Where the arrays lie, and what the record says of them."""

    folder: str
    workload: WorkloadFacts
    data: DataFacts
    files: int  # image files for preprocessing
    no_files: str  # why there are none
    golden_images: int
    constant: dict[
        str, float
    ]  # measures that the best constant answer reaches on the validation images; empty where nothing is labelled
    untrainable: str  # why these images are too few for a whole training; empty where they are enough
    unlabelled: str = ""  # why there are no labels, where the data seemed to hold some
    remarks: list[str] = []  # what else to tell the user; may name files, and is not recorded


class RankResult(msgspec.Struct, kw_only=True):
    """The measuring part of ``bench.record.schema.Trial``; fields mean the same. Pilots also suggest ``blocks``."""

    stages: dict[str, float]
    compile: str = ""
    lowering: str = ""
    images_per_sample: int = 0
    steps_per_sample: int = 0
    samples: list[float] = []
    warmup: int = 0
    steady: str = "assumed"
    pixels_per_sample: list[int] = []
    curve: list[Evaluation] = []
    test: dict[str, float] = {}
    losses: list[float | None] = []
    checks: list[Check] = []
    brief: bool = False
    host_memory: int = 0
    device_memory: int = 0
    package: dict[str, str] = {}
    telemetry: dict[str, dict[str, float | None]] = {}
    disturbances: list[str] = []
    clock_limits: list[str] = []
    energy: dict[str, Energy] = {}
    blocks: Blocks | None = None
    batch_size: int = 0  # what a pilot chose
    chosen: str = ""  # and from what


class Choice(msgspec.Struct, frozen=True):
    """What a search over a backend's alternatives chose, and from what; without a note there was nothing to choose."""

    options: dict[str, str]
    note: str
    batch_size: int = 0  # that goes with them; 0: it was not a matter of choice


class Reached(msgspec.Struct, frozen=True):
    """What one spec reached."""

    kind: Literal["arithmetic", "memory", "copy"]  # FLOP/s, bytes of weights/s, bytes of images/s
    rate: float
    shape: str


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole training gave."""

    seed: int
    epochs: int
    images: int  # of training, per epoch
    validation_images: int
    test_images: int
    elapsed: float  # seconds from the worker's start to the last evaluation, that of the test images
    curve: list[Evaluation]
    test: dict[str, float]  # measures on the test images

    @property
    def seconds(self) -> float:
        """From the first batch to the last evaluation of validation images."""
        return self.curve[-1].seconds


ANSWERS: Mapping[type[Common], Any] = {
    Describe: PluginInfo,
    Prepare: Prepared,
    Look: Looked,
    Measure: RankResult,
    Search: Choice,
    MeasureCeiling: list[Reached],
    Verify: list[Check],
    Train: Trained,
    MakeGolden: str,
    Render: None,
}
"""What each job in which a plugin takes part is answered by. The other jobs' answers tell of releases apart, by themselves."""


def unfit_answer(job: Common, answer: bytes) -> str:
    """Return why a worker's answer, as JSON, is none to the job; empty where it is one."""
    expected = ANSWERS.get(type(job), Any)
    try:
        msgspec.json.decode(answer, type=expected)
    except DAMAGE as error:
        return f"the worker's answer is not one to this job: {error}"
    return ""
