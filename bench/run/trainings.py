"""``bench train``'s parent side: one worker per backend and seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import msgspec

from bench.errors import NotComparableError, UsageError
from bench.machine.environment import worker_environment
from bench.machine.host import usable_cores
from bench.run.discovery import FoundBackend, FoundWorkload, discover
from bench.run.folders import fresh_log
from bench.run.lock import locked
from bench.run.plan import MOST_EPOCHS, MOST_TRIALS, Wishes, check_options, check_wishes, choose_backends
from bench.run.process import Launch, run_worker
from bench.run.session import prepare_data, refuse_unlabelled
from bench.worker.answers import DeviceInfo, Prepared, Trained
from bench.worker.channel import Beat, Stage
from bench.worker.jobs import Train


@dataclass(frozen=True)
class Training:
    """One finished, or failed, training."""

    backend: str
    device: str
    precision: str
    seed: int
    trained: Trained | None
    trouble: str = ""


def train_all(
    wishes: Wishes,
    epochs: int | None,
    seeds: int,
    interpreters: Mapping[str, str],
    wait: bool,
    say: Callable[[str], None],
) -> Iterator[Training]:
    """Trainings as they finish, seeds outermost. Raises UsageError and NotComparableError before the first starts."""
    check_wishes(wishes)
    if not 1 <= seeds <= MOST_TRIALS:
        raise UsageError(f"{seeds} seeds are not possible; expected 1 to {MOST_TRIALS:,}")
    if epochs is not None and not 1 <= epochs <= MOST_EPOCHS:
        raise UsageError(f"{epochs} epochs are not possible; expected 1 to {MOST_EPOCHS:,}")
    found = discover(wishes.backends or None, interpreters)
    chosen, _ = choose_backends(wishes, found)
    check_options(wishes, chosen)
    workload = found.workload(wishes.workload, (wishes.sizes or found.usual_size(wishes.workload))[0])
    precision = wishes.precisions[0] if wishes.precisions else "fp32"
    jobs = [
        (backend, device)
        for backend in chosen
        for device in backend.info.devices
        if device.trains and precision in device.precisions and (not wishes.devices or device.id in wishes.devices)
    ]
    if not jobs:
        raise NotComparableError(f"no device here trains in {precision}")
    with locked([device.physical for _, device in jobs], wait):
        say("preparing images …")
        prepared = prepare_data(
            [(workload.plugin, workload.info.name, workload.info.size)], wishes.data, ("train",), lambda event: None
        )[f"{workload.info.name}-{workload.info.size}"]
        refuse_unlabelled(prepared)
        total = epochs or workload.info.epochs
        with TemporaryDirectory(prefix="bench-compiled-") as cache:
            for seed in range(wishes.seed, wishes.seed + seeds):
                for backend, device in jobs:
                    yield _train(wishes, backend, device, workload, prepared, precision, total, seed, cache, say)


def _train(
    wishes: Wishes,
    backend: FoundBackend,
    device: DeviceInfo,
    workload: FoundWorkload,
    prepared: Prepared,
    precision: str,
    epochs: int,
    seed: int,
    cache: str,
    say: Callable[[str], None],
) -> Training:
    threads = wishes.threads or usable_cores()
    job = Train(
        backend=backend.plugin,
        name=backend.info.name,
        device=device.id,
        workload=workload.plugin,
        workload_name=workload.info.name,
        size=workload.info.size,
        precision=precision,
        threads=threads,
        prepared=prepared.folder,
        epochs=epochs,
        seed=seed,
        cache=cache,
        options={name: value for name, value in wishes.options.items() if name in backend.info.options},
    )

    def listen(event: Stage | Beat) -> None:
        if isinstance(event, Beat):
            say(f"  {device.id} seed {seed}: epoch {event.done:.0f} of {event.total:.0f}, {event.text}")

    log = fresh_log("train")
    environment = worker_environment(threads, backend.info.environment)
    outcome = run_worker(Launch(job, log, environment, backend.interpreter, wishes.stall), listen)
    trained = msgspec.json.decode(outcome.value, type=Trained) if outcome.status == "ok" else None
    trouble = "" if trained else f"{outcome.status}: {outcome.reason}"
    return Training(backend.info.name, device.id, precision, seed, trained, trouble)


@dataclass(frozen=True)
class Summary:
    """What the trainings of one device came to, seed by seed."""

    device: str
    precision: str
    test: Mapping[str, Sequence[float]]  # measures on the test images
    seconds: Sequence[float]


def summarise(trainings: Sequence[Training]) -> list[Summary]:
    """One summary per device and precision, of the trainings that finished."""
    finished: dict[tuple[str, str], list[Trained]] = {}
    for training in trainings:
        if training.trained is not None:
            finished.setdefault((training.device, training.precision), []).append(training.trained)
    return [
        Summary(
            device,
            precision,
            {name: [one.test[name] for one in found] for name in found[0].test},
            [one.seconds for one in found],
        )
        for (device, precision), found in finished.items()
    ]
