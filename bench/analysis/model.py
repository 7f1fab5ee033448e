"""What a report holds: figures with their intervals, and everything that has to be said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.projection.assumptions import Assumptions
from bench.projection.counted import MeasuredRates
from bench.projection.model import BreakEven, Projection
from bench.projection.prices import Price
from bench.recipes import VIEWS
from bench.record.scenarios import Scenario, scenario
from bench.record.schema import Ceiling, DeviceFacts, Evaluation, Forecast, Machine, WorkloadFacts
from bench.statistics.rates import Estimate, LogRate, Percentile, Place

UNPROVEN = "unproven"
UNJUDGED = "checks not judged"
ABOVE_CEILING = "above ceiling"
STEADY_ASSUMED = "steady state assumed"
STILL_MOVING = "still warming up"
SLOWING = "slowing down"
IMPOSSIBLE = "impossible"
DISTURBED = "disturbed"
ONE_TRIAL = "one trial"
NOT_COLD = "no cold compilation"
LOWERINGS = "several lowerings"
UNCHECKED = "unchecked trials left out"
TRIALS_FAILED = "trials failed"

MARKS = {  # mark: its sign, and what it means
    UNPROVEN: ("‡", "unproven: no check passed, or one failed; not used in any projection or speed-up"),
    UNJUDGED: (
        "◇",
        "checks not judged: rounding in this precision would let a wrong answer pass some checks; the figure stands on the others, or on the same lowering in "
        "a sharper precision, as its checks say",
    ),
    ABOVE_CEILING: ("▲", "above ceiling: more than 1.1 times the measured ceiling; not used in any projection or speed-up"),
    IMPOSSIBLE: (
        "⊗",
        "impossible: a record holds what cannot have been measured; its trials of this case are left out, and the report says why",
    ),
    STEADY_ASSUMED: ("~", "steady state assumed: too few samples to detect the end of warm-up, a fixed rule was used"),
    STILL_MOVING: ("↘", "still warming up: most trials became faster to their end; give --seconds more"),
    SLOWING: (
        "↗",
        "slowing down: most trials became slower to their end, as from heat, a power limit or other work; longer work may be slower still",
    ),
    DISTURBED: (
        "†",
        "disturbed: heat, power, a CPU limit or other processes may have slowed the device down in at least one trial; see below",
    ),
    ONE_TRIAL: ("¹", "one trial: no interval"),
    NOT_COLD: ("°", "no cold compilation was timed: the compile time is of a filled cache"),
    LOWERINGS: ("§", "trials of several lowerings are pooled"),
    UNCHECKED: ("?", "trials without any check are left out; the rate is of those that passed"),
    TRIALS_FAILED: ("×", "some trials failed; they are listed below"),
}


class Stack(NamedTuple):
    """The software a figure belongs to; figures of different stacks are never pooled."""

    versions: str  # of the backend's framework
    environment: str  # variables that frameworks and the allocator read, threads apart
    bench: str  # version of the harness


class CaseKey(NamedTuple):
    """What must be equal for trials of several records to be pooled."""

    machine: str  # fingerprint
    stack: Stack
    workload: str
    size: str
    digest: str
    data: str  # fingerprint of the images, where the time depends on which they are; else ""
    backend: str
    devices: tuple[str, ...]
    phase: str
    scenario: str
    precision: str
    batch_size: int
    cores: int  # of the host, for each rank
    ranks: int
    options: str

    @property
    def how(self) -> Scenario:
        """Everything the harness knows of its scenario."""
        return scenario(self.phase, self.scenario)


class TargetTraining(NamedTuple):
    """One training to its target."""

    number: int  # of the trial, and so of the seed
    seconds: float | None  # until the target; None: it was not reached
    curve: tuple[Evaluation, ...]
    test: dict[str, float]  # measures on the test images


class Power(NamedTuple):
    """What a device drew while a case was timed, the mean over trials, or over records where there are several."""

    draw: LogRate  # joules a second, over the trials that the case's rate is of
    idle_watts: float | None  # the same counters before anything was loaded
    counters: tuple[str, ...]


class SampleTrace(NamedTuple):
    """One trial's samples, for people to see where its warm-up ended: (seconds since its first block, seconds per item)."""

    points: tuple[tuple[float, float], ...]
    warm: float  # seconds since the first block at which warm-up ended


@dataclass(frozen=True)
class MeasuredCase:
    """One case, its trials pooled over records. Times are seconds, sizes bytes."""

    key: CaseKey
    facts: WorkloadFacts | None
    device: DeviceFacts | None
    log: LogRate | None  # of images; of megapixels where phase is preprocess; of trainings where they go to their target
    log_times: tuple[float, ...]  # ln(seconds per image, or per megapixel) of each trial
    no_figure: str  # why there is no rate
    trials: int  # that the rate is of
    failed: int  # trials that gave nothing
    latency: tuple[Percentile, ...]
    ceiling: Ceiling | None
    of_ceiling: float | None  # achieved FLOP/s over the ceiling's
    of_memory: float | None  # least bytes of weights and activations per second over the memory ceiling
    of_copying: float | None  # bytes of images per second over the copying ceiling
    compile_seconds: float | None  # cold where there is one, else cached
    start_up: float  # import + build + compile + first step
    ready: float  # build + compile, as trials found them: with the cache filled where the backend has one
    cold_extra: float  # what compiling takes longer before the cache is filled
    host_memory: int
    device_memory: int
    passed: tuple[str, ...]  # names of checks that were judged and passed in every trial
    broken: tuple[str, ...]  # names of checks that failed in some trial, with what was found
    lowering: str
    marks: tuple[str, ...]
    records: int
    targets: dict[str, float]  # of trainings to their target
    courses: tuple[TargetTraining, ...]
    unjudged: tuple[str, ...] = ()  # names of checks that some trial could not judge: a wrong answer might have passed
    proven_in: str = ""  # the case's own precision, or the sharper one in which its lowering was proven
    latency_curve: tuple[tuple[float, float], ...] = ()  # (share of queries, seconds), pooled over trials
    power: Power | None = None  # None where it was not measured
    trace: SampleTrace | None = None  # of the first trial that the rate is of
    disturbed: int = 0  # of the trials that the rate is of, those that something disturbed
    disturbances: tuple[str, ...] = ()  # of the first of them, a sentence each
    slowing: int = 0  # of the trials that the rate is of, those that became slower to their end
    augment: float | None = None  # seconds to change one image for a whole training; None where it was not measured
    steady_seconds: float = 0.0  # of steady samples in a trial, the median over those that the rate is of
    wall_seconds: float = 0.0  # of a whole trial, the same median
    within: float = 0.0  # the half-width until which trials were added, in percent; 0: none was wished for

    @property
    def rate(self) -> Estimate | None:
        """Images per second; megapixels per second where phase is preprocess."""
        return None if self.log is None else self.log.estimate()

    @property
    def valid(self) -> bool:
        """Whether the rate may stand in a projection and a speed-up."""
        return self.log is not None and UNPROVEN not in self.marks and ABOVE_CEILING not in self.marks

    @property
    def shares_cores(self) -> bool:
        """Whether the device is the host's processor."""
        return self.device is not None and self.device.kind == "cpu"


@dataclass(frozen=True)
class SpeedUp:
    """How many times faster one training is, with both sides named."""

    factor: Estimate
    reference: MeasuredCase
    left_out: tuple[str, ...]  # what was not measured on one side and so counts on neither


@dataclass(frozen=True)
class Setting:
    """A training case of a device, projected."""

    train: MeasuredCase
    infer: MeasuredCase | None  # the offline inference that evaluates after every epoch
    decode: MeasuredCase | None
    measured: MeasuredRates
    projection: Projection
    same: SpeedUp | None = None  # against the reference at the same precision and batch size
    best: SpeedUp | None = None  # against the reference's fastest valid setting


@dataclass(frozen=True)
class Row:
    """One device in the table of days versus hours."""

    machine: Machine
    settings: tuple[Setting, ...]  # the fastest first
    same: Setting | None  # the one that is compared at the reference's precision and batch size
    reference: bool
    price: Price | None = None  # of one device-hour
    break_even: BreakEven | None = None  # against the reference, both in their fastest setting

    @property
    def best(self) -> Setting:
        """The device's fastest valid setting."""
        return self.settings[0]


@dataclass(frozen=True)
class Group:
    """Devices that ran the same workload at the same size: only they meet in one table."""

    workload: str
    size: str
    digest: str
    epochs: int
    rows: tuple[Row, ...]
    reference: Row | None
    views: int = VIEWS  # of each image in an evaluation
    views_known: bool = True  # False: no record says so, and the usual number is assumed


@dataclass(frozen=True)
class RecordLine:
    """One record that was used."""

    id: str
    created: str
    command: tuple[str, ...]
    machine: str
    complete: bool
    commit: str


@dataclass(frozen=True)
class Remark:
    """Something that did not run, or failed, and how often it was recorded."""

    what: str
    reason: str
    count: int


@dataclass(frozen=True)
class Report:
    """Everything a format needs; no format looks into a record."""

    assumptions: Assumptions
    groups: tuple[Group, ...]
    measured: tuple[MeasuredCase, ...]
    machines: dict[str, Machine]  # by fingerprint
    ceilings: dict[str, tuple[Ceiling, ...]]  # by the machine's fingerprint
    data: dict[str, str]  # fingerprint: description
    records: tuple[RecordLine, ...]
    skips: tuple[Remark, ...] = ()
    failures: tuple[Remark, ...] = ()
    impossible: tuple[Remark, ...] = ()  # what of a record cannot be true, and so counts nowhere
    notes: tuple[str, ...] = ()
    forecasts: tuple[tuple[MeasuredCase, Forecast], ...] = ()  # whole trainings, predicted and then done
    to_quality: tuple[MeasuredCase, ...] = ()  # trainings to their target; not in ``measured``
    group_by: str = ""  # a label
    nodes: Mapping[CaseKey, Mapping[str, Sequence[tuple[Place, float]]]] = field(
        default_factory=dict
    )  # see ``bench.report.nodes``
