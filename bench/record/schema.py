"""What a run leaves behind: plain data, versioned. Figures are recomputed from samples, never stored as truth.

Times are seconds, sizes bytes, dates ISO 8601 in UTC. Host names and paths are hashed unless the user allows them, and
image names never enter a record, because such records get published from hospitals.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from bench.record.scenarios import Scenario, scenario

VERSION = 2

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that every language and table can hold."""
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
"""A count of things that there must be."""

Status = Literal["ok", "failed", "crashed", "killed", "out of memory", "stalled", "invalid", "disturbed"]


Facts = TypeVar("Facts", bound=msgspec.Struct)


def like(kind: type[Facts], source: Any, **own: Any) -> Facts:
    """Return a struct whose fields are ``source``'s attributes of the same names, but for its ``own``."""
    return kind(**{name: getattr(source, name) for name in kind.__struct_fields__ if name not in own}, **own)


class Place(msgspec.Struct, frozen=True):
    """A device on a host, with the host's cores that are given to the process that uses it."""

    device: str  # "cpu", "cuda:0"; "" where a record names none
    cores: Positive = 1
    host: str = ""  # "": the machine that the run was started on


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to measure. Trials of equal cases are comparable; ``identity`` tells cases apart."""

    backend: str  # "host" where no backend takes part
    places: tuple[Place, ...]  # one for each rank
    workload: str
    size: str
    phase: str
    scenario: str = ""  # with the phase a row of ``bench.record.scenarios``
    precision: str = ""  # "" for preprocess
    batch_size: Whole = 1
    options: dict[str, str] = {}
    environment: dict[str, str] = {}  # variables the harness set in the worker
    epochs: Whole = 0  # of to-quality: how long the schedule is, and no training lasts longer
    targets: dict[str, float] = {}  # of to-quality: measures on the validation images, all to be reached
    chosen: str = ""  # how batch size and options were chosen, where pilots chose them: "pilot over 1, 8, 32"

    def __post_init__(self) -> None:
        """Raises ValueError for a phase and scenario that nobody knows: they must never pass for another."""
        scenario(self.phase, self.scenario)
        if not self.places:
            raise ValueError("a case without a place to run at")

    @property
    def identity(self) -> str:
        """The whole case as one key, but for what its worker's environment and its choices were: equal where the same is measured."""
        return msgspec.json.encode(msgspec.structs.replace(self, environment={}, chosen=""), order="sorted").decode()

    @property
    def device(self) -> str:
        """The device of the first rank."""
        return self.places[0].device

    @property
    def devices(self) -> tuple[str, ...]:
        """Every device that takes part, each once."""
        return tuple(dict.fromkeys(place.device for place in self.places if place.device))

    @property
    def cores(self) -> int:
        """The host's cores that each rank is given."""
        return self.places[0].cores

    @property
    def how(self) -> Scenario:
        """Everything the harness knows of its scenario."""
        return scenario(self.phase, self.scenario)

    @property
    def label(self) -> str:
        """A short name for people, and no key: ``cpu cpu melanoma-small train fp32 batch 32``."""
        parts = [self.backend, *self.devices, f"{self.workload}-{self.size}", self.phase, self.scenario, self.precision]
        tail = f"batch {self.batch_size}" if self.how.batch else f"{self.cores} cores"
        options = [f"{name}={value}" for name, value in sorted(self.options.items())]
        return " ".join([p for p in parts if p] + [tail, *options])


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One proof about what was timed: passed, or what was found against what was allowed."""

    name: str  # "first losses", "witness loss", "every weight moved", "predictions", …
    passed: bool
    clock: bool = False  # judged by time, which other work on the machine disturbs
    judged: bool = True  # False: what is allowed here would let a wrong answer pass, so the check says nothing
    found: float | None = None
    allowed: float | None = None
    detail: str = ""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A point on the way of a training to its target: what the weights were worth after an epoch."""

    epoch: Whole  # from 1
    steps: Whole  # optimizer steps so far
    seconds: float  # since the first batch, evaluations included
    loss: float | None  # mean over the epoch's steps; None where it was not a number
    measures: dict[str, float]  # on the validation images: "auc", "accuracy"


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """What one counter counted while a trial's blocks were timed, warm-up included."""

    joules: float
    seconds: float
    idle_watts: float | None = None  # drawn while the worker did nothing, before it loaded anything


class Rank(msgspec.Struct, frozen=True, kw_only=True):
    """What one process of a trial measured, and what is known of it."""

    stages: dict[str, float] = {}  # seconds: import, data, build, compile, first_step, warmup, steady; augment, of one batch
    samples: list[float] = []  # seconds each, in single-stream one query each; of a pilot: seconds per step of its blocks
    pixels_per_sample: list[Whole] = []  # preprocess only: pixels decoded in each sample
    host_memory: Whole = 0  # peak resident bytes
    device_memory: Whole = 0
    package: dict[str, str] = {}  # what was really imported: version, hashed path, commit
    telemetry: dict[str, dict[str, float | None]] = {}  # "before", "during" and "after" the timed blocks: GPU clocks, power
    disturbances: list[
        str
    ] = []  # of the timed blocks, a sentence each: "gpu:0 was slowed down: power brake in 7 of 12 looks"
    clock_limits: list[str] = []  # what else held the clocks down, a sentence each: a power cap, clocks that were set
    energy: dict[str, Energy] = {}  # by counter: "gpu:0", "package-0", "dram-0"; empty where the machine counts none
    log_tail: str = ""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One crew of fresh processes that measured one case: a rank for each of its places."""

    case: Whole  # index into Record.cases
    number: Whole  # 0, 1, … among the trials of its case
    role: Literal["pilot", "trial"]
    order: Whole  # position in the run, from 0
    status: Status
    started: str
    wall: float  # seconds from spawn to exit
    reason: str = ""  # why it failed, one sentence
    compile: Literal["", "cold", "cached"] = ""
    lowering: str = ""
    images_per_sample: Whole = 0  # of all ranks together
    steps_per_sample: Whole = 0
    warmup: Whole = 0  # how many leading samples are warm-up
    steady: Literal["", "assumed", "detected", "moving"] = ""  # moving: the samples after warm-up still became faster
    curve: list[Evaluation] = []  # to-quality only
    test: dict[str, float] = {}  # to-quality only: measures on the test images at the end, outside the clock
    losses: list[float | None] = []  # of the first optimizer steps; None where it was not a number
    checks: list[Check] = []
    brief: bool = (
        False  # checked on few images; another trial of the case, drawn when this one had been timed, is checked on many
    )
    ranks: list[Rank] = []  # in the order of the case's places


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """A whole training as it was predicted from the record's trials, and as it then went: seconds from the start of its process to
    its last evaluation."""

    case: Whole  # the training: index into Record.cases
    epochs: Whole
    predicted: float
    low: float | None = None  # 95 % interval of prediction, for a single process; None where there was one trial
    high: float | None = None
    measured: float


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something about the machine that spoils measurements, or may."""

    name: str
    severity: Literal["warning", "note"]
    found: str
    remedy: str


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The hardware and system a run was made on."""

    fingerprint: str  # equal on machines whose figures may be pooled
    host: str  # hashed unless allowed
    system: str
    cpu: str
    architecture: str
    cores: Whole  # given to this process by affinity and cgroup
    cores_online: Whole
    memory: Whole
    memory_usable: Whole = 0  # by this process, bytes: the machine's, or what a cgroup allows; 0: not recorded
    disk_free: Whole = 0  # bytes, where caches lie; 0: not recorded
    facts: dict[str, str] = {}  # governor, cgroup quota, huge pages, load, libc, python, …
    findings: list[Finding] = []  # what ``bench doctor`` says, just before the run
    gpus: list[dict[str, str]] = []  # name, uuid (hashed), driver, memory, power limit, …


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A device as its backend's probe described it."""

    backend: str
    id: str
    kind: str
    name: str
    physical: str  # "host", "gpu:0"
    precisions: tuple[str, ...]
    memory: Whole | None = None
    versions: dict[str, str] = {}


class WorkloadFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the reports need to know of a workload, so that no plugin is needed to render a record."""

    name: str
    size: str
    digest: str  # of network, loss, optimizer and seed: equal means the same computation
    height: Whole
    width: Whole
    classes: tuple[str, ...]
    batch_size: Whole
    epochs: Whole
    parameters: Whole
    forward_flops: Whole  # per image
    training_flops: Whole  # per image, forward and backward
    forward_elements: Whole = 0  # of activations read and written at least, per image; 0: unknown
    training_elements: Whole = 0
    views: Whole = 0  # of each image in an evaluation of a whole training; 0: unknown, as in older records


class DataFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The images a run was measured on."""

    description: str
    fingerprint: str
    synthetic: bool
    count: Whole
    labelled: bool
    megapixels: float | None = None  # mean per original file, where files were decoded
    understood: list[str] = []  # classes with counts, split, groups, what was left out and why; empty in older records


class Ceiling(msgspec.Struct, frozen=True, kw_only=True):
    """The fastest arithmetic, reading of memory or copying that any backend has shown on one physical device."""

    physical: str
    precision: str
    kind: Literal["arithmetic", "memory", "copy"]
    rate: float  # FLOP/s, or bytes/s
    backend: str
    shape: str  # which spec reached it
    measured: str  # ISO date


class Skip(msgspec.Struct, frozen=True, kw_only=True):
    """Something asked for that did not run, and why."""

    what: str
    reason: str


class Extended(msgspec.Struct, frozen=True, kw_only=True):
    """A record whose trials a later one holds too."""

    id: str
    created: str  # ISO date


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed run. Its schema is version 2; ``bench.record.version1`` reads the one before."""

    version: Whole
    id: str
    created: str
    finished: str
    command: list[str]
    seed: Whole
    bench: dict[str, str]  # version, commit of the harness
    machines: dict[str, Machine]  # by the host's name in places; "" is the one that the run was started on
    environment: dict[str, str]  # what the harness set alike in every worker; each case has its own in full
    devices: list[DeviceFacts]
    workloads: list[WorkloadFacts]
    data: list[DataFacts]
    cases: list[Case]
    trials: list[Trial]
    ceilings: list[Ceiling] = []
    skips: list[Skip] = []
    labels: dict[str, str] = {}
    forecasts: list[Forecast] = []  # of bench forecast-check only
    complete: bool = True  # False: sealed after an interruption, with trials missing
    within: float = 0.0  # the half-width of intervals, in percent, until which trials were added; 0: their number was fixed
    extends: list[Extended] = []  # the records whose trials stand first in this one, oldest first

    def __post_init__(self) -> None:
        """Raises ValueError where a case ran on a host that the record does not describe."""
        unknown = {place.host for case in self.cases for place in case.places} | {""}
        if missing := sorted(unknown - self.machines.keys()):
            raise ValueError(f"host '{missing[0]:.60}' is not among the machines")

    @property
    def machine(self) -> Machine:
        """The machine that the run was started on."""
        return self.machines[""]

    @property
    def first(self) -> Extended:
        """The record that its first trials were sealed in: the oldest that it extends, or itself."""
        return self.extends[0] if self.extends else Extended(id=self.id, created=self.created)

    @property
    def looked_at(self) -> bool:
        """Whether anybody saw how its trials scatter before their number was settled."""
        return self.within > 0 or bool(self.extends)
