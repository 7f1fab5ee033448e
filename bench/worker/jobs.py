"""What the parent asks of a worker: one JSON object on its standard input, of one of these kinds."""

from __future__ import annotations

import msgspec

from bench.entry_points import PluginRef
from bench.record.schema import Case


class DataSpec(msgspec.Struct, frozen=True, kw_only=True):
    """``bench.contract.DataRequest`` as JSON."""

    path: str | None = None
    labels: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    positive: tuple[str, ...] = ()
    count: int = 2048
    seed: int = 0


PROTOCOL = 1
"""Raised whenever jobs or answers change so that a parent and a worker of different releases no longer understand each other."""


class Common(msgspec.Struct, frozen=True, kw_only=True, tag_field="job"):
    """Every job says when it was spawned, on the system-wide monotonic clock."""

    spawned: float = 0.0


class Describe(Common, frozen=True, kw_only=True, tag="describe"):
    """Import one plugin, list what it offers, probe its backends."""

    plugin: PluginRef
    probe: tuple[str, ...] | None = None  # backends to probe; None: all


class Survey(Common, frozen=True, kw_only=True, tag="survey"):
    """List the plugins that this interpreter has installed, importing none."""


class Identify(Common, frozen=True, kw_only=True, tag="identify"):
    """Describe the machine."""

    keep_host_name: bool = False


class Prepare(Common, frozen=True, kw_only=True, tag="prepare"):
    """Decode a workload's images once, into arrays that every trial maps."""

    plugin: PluginRef
    workload: str
    size: str
    data: DataSpec
    cache: str
    files: bool  # image files are wanted too


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial is cut into samples; frozen after the pilot, equal for all trials of a case."""

    steps: int  # optimizer steps, batches or queries per sample
    warmup: int  # leading samples that are warm-up
    samples: int  # of steady state
    detected: bool = False  # whether the pilot saw where warm-up ends, or a fixed rule was used


class Measure(Common, frozen=True, kw_only=True, tag="measure"):
    """Measure one case once. Without ``blocks`` it is a pilot."""

    case: Case
    backend: PluginRef | None  # None for preprocess
    workload: PluginRef
    prepared: str  # folder that Prepare filled
    cache: str | None  # compiled programs
    seconds: float  # of steady state to aim for
    seed: int
    blocks: Blocks | None = None
    candidates: tuple[int, ...] = ()  # batch sizes for a pilot to choose from
    cached: bool = False  # whether an earlier process has compiled this case already
    in_turns: bool = False  # another worker is alive too: wait for a turn before each sample


class Search(Measure, frozen=True, kw_only=True, tag="search"):
    """Try the ways that a backend offers for a case, in turns. In a process of its own, so that what follows starts afresh."""


class OnDevice(Common, frozen=True, kw_only=True):
    """A job for one device of one backend."""

    backend: PluginRef
    name: str  # of the backend
    device: str
    precision: str
    threads: int


class MeasureCeiling(OnDevice, frozen=True, kw_only=True, tag="ceiling"):
    """Run the ceiling specs through a backend, as it is without options."""


class OnWorkload(OnDevice, frozen=True, kw_only=True):
    """A job that runs one size of a workload on a device."""

    workload: PluginRef
    workload_name: str
    size: str
    options: dict[str, str] = {}


class Verify(OnWorkload, frozen=True, kw_only=True, tag="verify"):
    """Prove one backend, device, size and precision against the golden file."""


class Train(OnWorkload, frozen=True, kw_only=True, tag="train"):
    """Train to the end, with augmentation, and evaluate."""

    prepared: str
    epochs: int
    seed: int
    cache: str | None = None  # compiled programs
    views: int = 0  # of each image in evaluations; 0: as the workload's recipe says


class MakeGolden(Common, frozen=True, kw_only=True, tag="golden"):
    """Run the oracle and write the workload's golden file."""

    workload: PluginRef
    name: str
    size: str


Job = Describe | Survey | Identify | Prepare | Measure | Search | MeasureCeiling | Verify | Train | MakeGolden
