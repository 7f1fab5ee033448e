"""From the command line's wishes to a list of cases; what cannot run is skipped with a reason before anything starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bench.entry_points import PluginRef
from bench.errors import NoDeviceError, PluginError, UsageError
from bench.machine.environment import THREAD_VARIABLES, overridden, worker_environment
from bench.machine.host import usable_cores
from bench.precisions import PRECISIONS
from bench.record.scenarios import PHASES, Scenario, asked_for
from bench.record.schema import Case, DeviceFacts, Extended, Machine, Place, Skip, like
from bench.run.discovery import Discovery, FoundBackend, FoundWorkload, discover, lacking, unknown
from bench.run.limits import STALL_SECONDS, check_seed, checked_stall
from bench.text.words import plural
from bench.worker.answers import DeviceInfo
from bench.worker.jobs import DataSpec

MEASURES = ("auc", "accuracy")

# Offline batch sizes a pilot tries, in rising order while they get faster.
HOST_CANDIDATES = (8, 32, 128)
ACCELERATOR_CANDIDATES = (32, 128, 512, 2048)


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for; empty means every one, or the default."""

    backends: Sequence[str] = ()
    devices: Sequence[str] = ()
    workload: str = "melanoma"
    sizes: Sequence[str] = ()
    phases: Sequence[str] = PHASES
    precisions: Sequence[str] = ()
    batch_sizes: Sequence[int] = ()
    trials: int = 3
    seconds: float = 3.0
    seed: int = 0
    threads: int | None = None
    data: DataSpec = field(default_factory=DataSpec)
    options: dict[str, str] = field(default_factory=dict)
    stall: float = STALL_SECONDS
    ceilings: bool = True
    search: bool = False
    scenarios: Sequence[str] = ()  # beyond the usual ones of each phase
    epochs: int | None = None  # of a training to its target, at most
    targets: dict[str, float] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    within: float = 0.0  # the half-width of intervals, in percent, until which trials are added; 0: none are
    command: Sequence[str] = ()
    salt: str = ""  # of the results folder, for what a record holds hashed


class PlannedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case, and what is needed to run it."""

    case: Case
    backend: PluginRef | None
    workload: PluginRef
    interpreter: str
    physical: str = "host"
    candidates: tuple[int, ...] = ()
    search: bool = False  # let the pilot try the backend's alternatives
    layers_open: bool = False  # only building it tells whether the backend has all layers


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides a run; written before it starts, and all that resuming needs."""

    id: str
    created: str
    command: list[str]
    seed: int
    trials: int  # rounds that every case takes part in, those before ``begins`` included
    seconds: float
    stall: float
    ceilings: bool
    machines: dict[str, Machine]
    devices: list[DeviceFacts]
    data: DataSpec
    cases: list[PlannedCase]
    skips: list[Skip]
    labels: dict[str, str]
    bench: str = ""  # version of the harness
    images: dict[str, str] = {}  # fingerprint of the images, by workload and size
    within: float = 0.0  # as in ``Wishes``
    begins: int = 0  # the first round of this run; those before it stand in a record that it extends
    extends: list[Extended] = []  # see ``bench.record.schema.Record``
    salt: str = ""  # as in ``Wishes``; neither the plan's file nor a record holds it

    @property
    def most_trials(self) -> int:
        """How many trials a case can have."""
        return MOST_TRIALS if self.within else self.trials

    @property
    def machine(self) -> Machine:
        """The machine that the run was started on."""
        return self.machines[""]


def check_wishes(wishes: Wishes) -> None:
    """Raises UsageError for what no machine could run."""
    for size in wishes.batch_sizes:
        if not 1 <= size <= LARGEST_BATCH:
            raise UsageError(f"batch size {size} is not possible; expected 1 to {LARGEST_BATCH:,}")
    if not 1 <= wishes.trials <= MOST_TRIALS:
        raise UsageError(
            f"{wishes.trials} trials are not possible; expected 1 to {MOST_TRIALS:,}, and 3 or more for an interval"
        )
    checked_stall(wishes.stall)
    if not 0 < wishes.seconds < 86400:
        raise UsageError(f"{wishes.seconds:g} seconds per trial are not possible; expected more than 0 and less than a day")
    for name, value in wishes.targets.items():
        if name not in MEASURES:
            raise UsageError(unknown("measure of quality", name, MEASURES))
        if not 0 < value <= 1:
            raise UsageError(f"a target of {value:g} for {name} is not possible; expected more than 0, at most 1")
    check_seed(wishes.seed)
    if wishes.epochs is not None and not 1 <= wishes.epochs <= MOST_EPOCHS:
        raise UsageError(f"{wishes.epochs} epochs are not possible; expected 1 to {MOST_EPOCHS:,}")
    cores = usable_cores()
    if wishes.threads is not None and not 1 <= wishes.threads <= cores:
        raise UsageError(f"{wishes.threads} threads are not possible; this process may use 1 to {cores} cores")
    for given, known, what in ((wishes.precisions, PRECISIONS, "precision"), (wishes.phases, PHASES, "phase")):
        for name in given:
            if name not in known:
                raise UsageError(unknown(what, name, known))


def choose_backends(wishes: Wishes, found: Discovery) -> tuple[list[FoundBackend], list[Skip]]:
    """The backends to measure. One that was named and has no device is an error; otherwise it is skipped with its reason.

    Raises NoDeviceError, and PluginError where ``probe()`` of a backend that was named broke its contract.
    """
    named = [found.backend(name) for name in wishes.backends]
    for backend in named:
        if backend.info.broken:
            raise PluginError(backend.info.reason)
        if not backend.info.devices:
            raise NoDeviceError(f"backend '{backend.info.name}' has no device here: {backend.info.reason}")
    skips = [] if named else [Skip(what=f"plugin {name}", reason=reason) for name, reason in found.broken.items()]
    for backend in () if named else found.backends:
        if backend.info.devices:
            named.append(backend)
        else:
            skips.append(Skip(what=f"backend {backend.info.name}", reason=backend.info.reason))
    if wishes.devices:
        known = [device.id for backend in found.backends for device in backend.info.devices]
        for device in wishes.devices:
            if device not in known:
                raise UsageError(unknown("device", device, known))
        named = [backend for backend in named if any(device.id in wishes.devices for device in backend.info.devices)]
        if not named:
            raise UsageError(f"none of the backends asked for has device {', '.join(wishes.devices)}")
    return named, skips


def said_together(skips: Sequence[Skip]) -> str:
    """Return one clause of each reason, with everything that is skipped for it before it: ``backend cpu, backend cuda: no PyTorch``."""
    together: dict[str, list[str]] = {}
    for skip in skips:
        together.setdefault(skip.reason, []).append(skip.what)
    return "; ".join(f"{', '.join(dict.fromkeys(whats))}: {reason}" for reason, whats in together.items())


def wished_for(wishes: Wishes, interpreters: Mapping[str, str]) -> tuple[Discovery, list[FoundBackend], list[Skip]]:
    """Return what is installed, the backends to use of it, and why others are not. Raises UsageError."""
    check_wishes(wishes)
    found = discover(wishes.backends or None, interpreters, stall=wishes.stall)
    chosen, skips = choose_backends(wishes, found)
    check_options(wishes, chosen)
    name_overridden(wishes, chosen)
    return found, chosen, skips


def name_overridden(wishes: Wishes, backends: Sequence[FoundBackend]) -> None:
    """Name on standard error each of the user's variables that workers get with another value, and what to do instead."""
    threads = wishes.threads or usable_cores()
    environments = [worker_environment(threads, backend.info.environment) for backend in backends]
    found: dict[str, tuple[str, str]] = {}
    for environment in environments or [worker_environment(threads, {})]:
        found |= overridden(environment, os.environ)
    of_threads = [f"{name}={found[name][0]}" for name in THREAD_VARIABLES if name in found]
    if of_threads and wishes.threads is None:
        print(
            f"bench: {' and '.join(of_threads)} in the environment {'is' if len(of_threads) == 1 else 'are'} not used: workers run "
            f"on {plural(threads, 'thread')}; say how many with --threads",
            file=sys.stderr,
        )
    for name, (theirs, ours) in found.items():
        if name not in THREAD_VARIABLES:
            print(f"bench: {name}={theirs} in the environment is not used: workers run with {name}={ours}", file=sys.stderr)


def check_options(wishes: Wishes, backends: Sequence[FoundBackend]) -> None:
    """Raises UsageError for an option that none of the backends has."""
    known = sorted({name for backend in backends for name in backend.info.options})
    for name in wishes.options:
        if name not in known:
            raise UsageError(unknown("option", name, known))


def plan_cases(
    wishes: Wishes, backends: Sequence[FoundBackend], workloads: Sequence[FoundWorkload]
) -> tuple[list[PlannedCase], list[Skip]]:
    """Every combination asked for that the devices can run, and the others with their reasons."""
    cases: list[PlannedCase] = []
    skips: list[Skip] = []
    rows = asked_for(wishes.phases, wishes.scenarios)
    for workload in workloads:
        for row in rows:
            cases += _host_cases(row, wishes, workload) if row.on_host else []
        for backend in backends:
            for device in backend.info.devices:
                if wishes.devices and device.id not in wishes.devices:
                    continue
                more, skipped = _device_cases(rows, wishes, backend, device, workload)
                cases += more
                skips += skipped
    return cases, skips


def _host_cases(row: Scenario, wishes: Wishes, workload: FoundWorkload) -> list[PlannedCase]:
    """On one core, on half of them, and on all that may be used."""
    cores = wishes.threads or usable_cores()
    planned = []
    for threads in sorted({1, max(1, cores // 2), cores}):
        case = Case(
            backend="host",
            places=(Place("cpu", threads),),
            workload=workload.info.name,
            size=workload.info.size,
            phase=row.phase,
            scenario=row.name,
            environment=worker_environment(threads, {}),
        )
        planned.append(planned_case(case, None, workload))
    return planned


def _device_cases(
    rows: Sequence[Scenario], wishes: Wishes, backend: FoundBackend, device: DeviceInfo, workload: FoundWorkload
) -> tuple[list[PlannedCase], list[Skip]]:
    if lacks := lacking(backend, workload):
        return [], [Skip(what=f"{device.id} {workload.info.name}-{workload.info.size}", reason=lacks)]
    cases, skips = [], []
    for precision in wishes.precisions or default_precisions(device):
        if precision not in device.precisions:
            have = ", ".join(device.precisions)
            skips.append(Skip(what=f"{device.id} {precision}", reason=f"the device has {have}, not {precision}"))
            continue
        for row in rows:
            # Latency is asked of the precision everything is compared in, unless another was asked for by name.
            if row.on_host or not (row.every_precision or precision == "fp32" or wishes.precisions):
                continue
            if row.builds == "trainer" and not device.trains:
                skips.append(Skip(what=f"{device.id} {row.phase}", reason="the device runs inference only"))
                continue
            for batch_size, candidates in _batch_sizes(row, wishes, device, workload):
                case = device_case(
                    row,
                    wishes,
                    backend,
                    device,
                    workload,
                    precision,
                    batch_size=batch_size,
                    epochs=(wishes.epochs or workload.info.epochs) if row.to_target else 0,
                    targets=_targets(wishes, workload) if row.to_target else {},
                )
                # What was asked for by name is not searched for.
                search = wishes.search and backend.info.alternatives and not case.options
                more = {"physical": device.physical, "candidates": candidates, "search": search}
                more["layers_open"] = backend.info.layers is None
                cases.append(planned_case(case, backend, workload, **more))
    return cases, skips


def device_case(
    row: Scenario,
    wishes: Wishes,
    backend: FoundBackend,
    device: DeviceInfo,
    workload: FoundWorkload,
    precision: str,
    **more: Any,
) -> Case:
    """One device driven by one scenario, on the cores and with the options that are wished for; ``more``: further fields."""
    cores = wishes.threads or usable_cores()
    return Case(
        backend=backend.info.name,
        places=(Place(device.id, cores),),
        workload=workload.info.name,
        size=workload.info.size,
        phase=row.phase,
        scenario=row.name,
        precision=precision,
        options={name: value for name, value in wishes.options.items() if name in backend.info.options},
        environment=worker_environment(cores, backend.info.environment),
        **more,
    )


def default_precisions(device: DeviceInfo) -> tuple[str, ...]:
    """fp32, which every device is compared in, and bf16 where the device computes it."""
    return tuple(precision for precision in ("fp32", "bf16") if precision in device.precisions)


LARGEST_BATCH, MOST_TRIALS, MOST_EPOCHS = 65_536, 10_000, 100_000
"""Far beyond what any device holds, or anybody waits for: more is a slip of the pen."""


def _batch_sizes(
    row: Scenario, wishes: Wishes, device: DeviceInfo, workload: FoundWorkload
) -> list[tuple[int, tuple[int, ...]]]:
    """The batch sizes, a case each, and those that its pilot chooses from."""
    if row.batch == "one":
        return [(1, ())]
    if row.batch == "fastest" and not wishes.batch_sizes:
        candidates = HOST_CANDIDATES if device.kind == "cpu" else ACCELERATOR_CANDIDATES
        return [(candidates[0], candidates)]
    return [(size, ()) for size in dict.fromkeys(wishes.batch_sizes or (workload.info.batch_size,))]


def _targets(wishes: Wishes, workload: FoundWorkload) -> dict[str, float]:
    """Raises UsageError where neither the command line nor the workload names one."""
    own = workload.info.synthetic_targets if wishes.data.path is None else workload.info.targets
    if not (wishes.targets or own):
        name, images = f"{workload.info.name}-{workload.info.size}", "synthetic" if wishes.data.path is None else "real"
        raise UsageError(f"{name} has no quality target on {images} images; name one, as in --target auc=0.85")
    return wishes.targets or own


def planned_case(case: Case, backend: FoundBackend | None, workload: FoundWorkload, **more: Any) -> PlannedCase:
    """Return a case with the plugins that run it; ``more``: further fields."""
    return PlannedCase(
        case=case,
        backend=None if backend is None else backend.plugin,
        workload=workload.plugin,
        interpreter=workload.interpreter if backend is None else backend.interpreter,
        **more,
    )


def device_facts(backends: Sequence[FoundBackend], machine: Machine) -> list[DeviceFacts]:
    """The devices as the record keeps them; the harness names the host's processor."""
    return [
        like(
            DeviceFacts,
            device,
            backend=backend.info.name,
            name=device.name or machine.cpu,
            versions=backend.info.versions,
        )
        for backend in backends
        for device in backend.info.devices
    ]
