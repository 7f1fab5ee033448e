"""``bench train``'s parent side: one worker per backend and seed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from bench.errors import NotComparableError, UsageError
from bench.record.scenarios import scenario
from bench.run.crew import run_worker
from bench.run.discovery import FoundBackend, FoundWorkload, lacking
from bench.run.folders import fresh_log
from bench.run.images import refuse_untrainable, tell_understood
from bench.run.limits import check_seed
from bench.run.lock import locked
from bench.run.plan import MOST_TRIALS, Wishes, device_case, said_together, wished_for
from bench.run.process import Launch, Outcome
from bench.run.scratch import scratch
from bench.run.session import prepare_data
from bench.text.waiting import told
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
    understood: Sequence[str] = ()  # of the images, as in a record
    skipped: bool = False  # the backend lacks what the training needs


def train_all(
    wishes: Wishes, seeds: int, interpreters: Mapping[str, str], wait: bool, say: Callable[[str], None]
) -> Generator[Training, None, None]:
    """Trainings as they finish, seeds outermost. Raises UsageError and NotComparableError before the first starts."""
    if not 1 <= seeds <= MOST_TRIALS:
        raise UsageError(f"{seeds} seeds are not possible; expected 1 to {MOST_TRIALS:,}")
    check_seed(wishes.seed)
    check_seed(wishes.seed + seeds)
    entrants, workload = entered(wishes, interpreters)
    with locked([entrant.device.physical for entrant in entrants], wait):
        say("preparing images …")
        prepared = prepared_for(workload, wishes, say)
        with scratch() as cache:
            for seed in range(wishes.seed, wishes.seed + seeds):
                for entrant in entrants:
                    if lacks := lacking(entrant.backend, workload):
                        yield replace(_skipped(entrant, seed, lacks), understood=prepared.data.understood)
                        continue
                    launch = entrant.launch(wishes, workload, prepared, seed, str(cache))
                    yield replace(_train(entrant, launch, seed, say), understood=prepared.data.understood)


@dataclass(frozen=True)
class Entrant:
    """A device that is to train."""

    backend: FoundBackend
    device: DeviceInfo
    precision: str
    epochs: int

    def launch(self, wishes: Wishes, workload: FoundWorkload, prepared: Prepared, seed: int, cache: str) -> Launch:
        """Return how the worker of one training is started."""
        case = device_case(
            scenario("train", ""),
            wishes,
            self.backend,
            self.device,
            workload,
            self.precision,
            batch_size=workload.info.batch_size,
            epochs=self.epochs,
        )
        job = Train(
            case=case,
            backend=self.backend.plugin,
            workload=workload.plugin,
            prepared=prepared.folder,
            seed=seed,
            cache=cache,
        )
        return Launch(job, fresh_log("train"), case.environment, self.backend.interpreter, wishes.stall)


def entered(wishes: Wishes, interpreters: Mapping[str, str]) -> tuple[list[Entrant], FoundWorkload]:
    """Every device that can do the training. Raises UsageError, and NotComparableError where there is none."""
    found, chosen, skips = wished_for(wishes, interpreters)
    workload = found.workload(wishes.workload, (wishes.sizes or found.usual_size(wishes.workload))[0])
    precision = wishes.precisions[0] if wishes.precisions else "fp32"
    entrants = [
        Entrant(backend, device, precision, wishes.epochs or workload.info.epochs)
        for backend in chosen
        for device in backend.info.devices
        if device.trains and precision in device.precisions and (not wishes.devices or device.id in wishes.devices)
    ]
    if not entrants:
        raise NotComparableError(
            "; ".join(part for part in (f"no device here trains in {precision}", said_together(skips)) if part)
        )
    return entrants, workload


def prepared_for(workload: FoundWorkload, wishes: Wishes, say: Callable[[str], None] | None = None) -> Prepared:
    """The images, in the cache, of which ``say`` tells what was understood. Raises UsageError for data that cannot train."""
    triple = (workload.plugin, workload.info.name, workload.info.size)
    prepared = prepare_data([triple], wishes.data, False, stall=wishes.stall)
    images = prepared[f"{workload.info.name}-{workload.info.size}"]
    if say is not None:
        tell_understood(prepared, say)
    refuse_untrainable(images)
    return images


def _train(entrant: Entrant, launch: Launch, seed: int, say: Callable[[str], None]) -> Training:
    device = entrant.device.id

    def listen(event: Stage | Beat) -> None:
        if isinstance(event, Beat):
            speak_up()
            say(f"  {device} seed {seed}: epoch {event.done:.0f} of {event.total:.0f}, {event.text}")

    with told(lambda: f"bench: training on {device}, seed {seed}") as speak_up:
        return trained_by(entrant, seed, run_worker(launch, listen))


def _skipped(entrant: Entrant, seed: int, lacks: str) -> Training:
    name, device = entrant.backend.info.name, entrant.device.id
    return Training(name, device, entrant.precision, seed, None, f"skipped: {lacks}", skipped=True)


def trained_by(entrant: Entrant, seed: int, outcome: Outcome) -> Training:
    """Return the training that a worker has finished, or failed to finish."""
    trained = msgspec.json.decode(outcome.value, type=Trained) if outcome.status == "ok" else None
    name, device = entrant.backend.info.name, entrant.device.id
    return Training(name, device, entrant.precision, seed, trained, outcome.trouble, skipped=outcome.skipped)


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
