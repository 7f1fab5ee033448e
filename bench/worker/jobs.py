"""What the parent asks of a worker: one JSON object on its standard input, of one of these kinds."""

from __future__ import annotations

import msgspec

from bench.entry_points import PluginRef
from bench.record.schema import Case, Place


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


PROTOCOL = 4
"""Raised whenever jobs, turns or answers change so that a parent and a worker of different releases no longer understand each other, or
would measure differently."""


class Common(msgspec.Struct, frozen=True, kw_only=True, tag_field="job"):
    """Every job says when it was spawned, on the system-wide monotonic clock, and what the worker's events begin with."""

    spawned: float = 0.0
    token: str = ""  # drawn by the parent for this worker alone; without one an event is its JSON alone

    @property
    def cores(self) -> int:
        """How many of the host's cores the worker is given; 0: all that it may use."""
        return 0


class OnCase(Common, frozen=True, kw_only=True):
    """A job about one case, done by one of its ranks."""

    case: Case
    backend: PluginRef | None  # None where the host alone works
    workload: PluginRef
    rank: int = 0
    cache: str | None = None  # compiled programs

    @property
    def place(self) -> Place:
        """Where this rank runs."""
        return self.case.places[self.rank]

    @property
    def cores(self) -> int:
        """How many of the host's cores the rank's place gives it."""
        return self.place.cores


class Describe(Common, frozen=True, kw_only=True, tag="describe"):
    """Import one plugin, list what it offers, probe its backends."""

    plugin: PluginRef
    probe: tuple[str, ...] | None = None  # backends to probe; None: all


class Survey(Common, frozen=True, kw_only=True, tag="survey"):
    """List the plugins that this interpreter has installed, importing none."""


class Identify(Common, frozen=True, kw_only=True, tag="identify"):
    """Describe the machine."""

    keep_host_name: bool = False
    user: str = ""  # variables that the user had set; the worker has others on top
    salt: str = ""  # what the host's name is hashed with


class Prepare(Common, frozen=True, kw_only=True, tag="prepare"):
    """Decode a workload's images once, into arrays that every trial maps."""

    plugin: PluginRef
    workload: str
    size: str
    data: DataSpec
    cache: str
    files: bool  # image files are wanted too


class Look(Common, frozen=True, kw_only=True, tag="look"):
    """Open a workload's images as ``Prepare`` does, and decode none: a dry run refuses what a run would refuse."""

    plugin: PluginRef
    workload: str
    size: str
    data: DataSpec


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial is cut into samples; frozen after the pilot, equal for all trials of a case."""

    steps: int  # optimizer steps, batches or queries per sample
    warmup: int  # leading samples that are warm-up
    samples: int  # of steady state
    detected: bool = False  # whether the pilot saw where warm-up ends, or a fixed rule was used


class Measure(OnCase, frozen=True, kw_only=True, tag="measure"):
    """Measure the case once. Without ``blocks`` it is a pilot."""

    prepared: str  # folder that Prepare filled
    seconds: float  # of steady state to aim for
    seed: int
    blocks: Blocks | None = None
    candidates: tuple[int, ...] = ()  # batch sizes for a pilot to choose from
    cached: bool = False  # whether an earlier process has compiled this case; what it left, the worker looks up itself
    in_turns: bool = False  # another worker is alive too: wait for a turn before each sample
    salt: str = ""  # what the names of packages' folders are hashed with in the trial's record


class Search(Measure, frozen=True, kw_only=True, tag="search"):
    """Try the ways that a backend offers for a case, in turns. In a process of its own, so that what follows starts afresh."""


class MeasureCeiling(OnCase, frozen=True, kw_only=True, tag="ceiling"):
    """Run the ceiling specs through the case's backend in its precision, as it is without options."""


class Verify(OnCase, frozen=True, kw_only=True, tag="verify"):
    """Prove the case's backend, device, workload, size and precision against the golden file."""


class Train(OnCase, frozen=True, kw_only=True, tag="train"):
    """Train to the end of the case's epochs, with augmentation, and evaluate."""

    prepared: str
    seed: int


class MakeGolden(Common, frozen=True, kw_only=True, tag="golden"):
    """Run the oracle and write the workload's golden file."""

    workload: PluginRef
    name: str
    size: str


class Render(Common, frozen=True, kw_only=True, tag="render"):
    """Write what a plugin's reporter makes of a report. Both may be large, so they stay in files."""

    plugin: PluginRef
    reporter: str
    report: str  # file that holds the JSON document
    text: str  # file to write, in UTF-8


Job = (
    Describe | Survey | Identify | Prepare | Look | Measure | Search | MeasureCeiling | Verify | Train | MakeGolden | Render
)
