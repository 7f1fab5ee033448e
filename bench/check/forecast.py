"""Forecasts held to account: a whole training predicted from seconds of measurement, by the model that ``bench report`` uses, then
done, and the two compared.

Each forecast has trials of its own, fresh processes as always, and a training of its own right after them. Both find their programs
compiled: the pilots did that. (It is not only the compiler's time that is saved: on one host, steps of a process in which XLA had
compiled took 8 to 13 % longer than those of one that had read the same program from the cache.) The interval is one of prediction: for
a single process, which differs from the mean of many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from bench.datasets import Dataset
from bench.errors import NotComparableError
from bench.projection import Assumptions, Projection, project
from bench.report import build
from bench.run.journal import Journal, Pilot
from bench.run.lock import locked
from bench.run.plan import Plan, PlannedCase, Wishes
from bench.run.process import run_worker
from bench.run.progress import Progress
from bench.run.runner import Runner
from bench.run.seal import seal
from bench.run.session import interruptible, make_plan, prepare_plan, refuse_unlabelled
from bench.statistics import Estimate
from bench.worker.answers import Prepared, Trained
from bench.worker.jobs import Train
from bench.worker.quality import DEVICE_BATCH, HOST_BATCH


@dataclass(frozen=True)
class Forecast:
    """One training, predicted and done. Seconds from the start of its process to its last evaluation."""

    device: str
    precision: str
    epochs: int
    predicted: Estimate  # with the 95 % interval of prediction
    measured: float

    @property
    def error(self) -> float:
        """(predicted - measured) / measured."""
        return self.predicted.value / self.measured - 1

    @property
    def covered(self) -> bool:
        """Whether the interval held the measured time."""
        low, high = self.predicted.low, self.predicted.high
        return low is not None and high is not None and low <= self.measured <= high


def forecasts(
    wishes: Wishes,
    interpreters: Mapping[str, str],
    count: int,
    folder: Path,
    wait: bool,
    quiet: bool,
) -> Iterator[Forecast]:
    """``count`` forecasts of each device in each precision, as they finish; their records lie in ``folder``.

    Raises UsageError and NotComparableError before anything is measured, NotComparableError where a trial or a training fails.
    """
    plan = _with_evaluations(make_plan(wishes, interpreters))
    with ExitStack() as stack:
        stack.enter_context(locked([planned.physical for planned in plan.cases], wait))
        stack.enter_context(interruptible())
        plan, prepared = prepare_plan(plan, lambda event: None)
        for facts in prepared.values():
            refuse_unlabelled(facts)
        pilots: list[Pilot] = []
        trainings = sum(planned.case.phase == "train" for planned in plan.cases)
        compiled = Path(stack.enter_context(TemporaryDirectory(prefix="bench-compiled-")))
        for number in range(count):
            numbered = msgspec.structs.replace(plan, id=f"{plan.id}-{number:02d}", seed=wishes.seed + number)
            journal = Journal.create(folder / numbered.id, numbered)
            for pilot in pilots:
                journal.add(pilot)
            total = len(plan.cases) * (plan.trials + (not pilots)) + trainings
            with Progress(total, quiet) as progress:
                runner = Runner(numbered, journal, prepared, progress, compiled)
                runner.run()
                pilots = [entry for entry in journal.entries if isinstance(entry, Pilot)]
                seal(numbered, journal, prepared, complete=True)
                broken = next((trial for trial in journal.trials if trial.status != "ok"), None)
                if broken is not None:
                    raise NotComparableError(f"{plan.cases[broken.case].case.label} cannot be measured: {broken.reason}")
                for index, planned in enumerate(numbered.cases):
                    if planned.case.phase == "train":
                        yield _held_to_account(index, runner, wishes.epochs)


def _with_evaluations(plan: Plan) -> Plan:
    """Training, and offline inference with the batch size that evaluations have."""
    cases = []
    kinds = {(device.backend, device.id): device.physical for device in plan.devices}
    for planned in plan.cases:
        case = planned.case
        if case.scenario == "offline":
            size = HOST_BATCH if kinds[case.backend, case.devices[0]] == "host" else DEVICE_BATCH
            case = msgspec.structs.replace(case, batch_size=size)
        if case.scenario in {"", "offline"}:
            cases.append(msgspec.structs.replace(planned, case=case, candidates=(), search=False))
    return msgspec.structs.replace(plan, cases=cases)


def _held_to_account(index: int, runner: Runner, epochs: int | None) -> Forecast:
    planned = runner.plan.cases[index]
    case = planned.case
    prepared = runner.prepared[f"{case.workload}-{case.size}"]
    epochs = epochs or prepared.workload.epochs
    trained = _train(planned, f"case{index:02d}-training", runner, prepared, epochs)
    steps = trained.images // case.batch_size
    evaluations = [other.case for other in runner.plan.cases if other.case.phase == "infer"]
    batch = next(other.batch_size for other in evaluations if (other.backend, other.devices) == (case.backend, case.devices))
    validation = -(-trained.validation_images // batch) * batch
    work = Dataset(
        "forecast",
        "the images of this check",
        steps * case.batch_size + validation,
        1.0,
        "measured here",
        validation=validation,
    )
    predicted = _predict(planned, runner.journal.folder, Assumptions(dataset=work, epochs=epochs), epochs).training
    return Forecast(case.devices[0], case.precision, epochs, predicted, trained.elapsed)


def _predict(planned: PlannedCase, folder: Path, assumptions: Assumptions, epochs: int) -> Projection:
    """What ``bench report`` makes of the record, for programs already compiled, with the interval of a single process."""
    from bench.record.files import read_record

    case = planned.case
    report = build([read_record(folder)], assumptions)
    for group in report.groups:
        for row in group.rows:
            for setting in row.settings:
                key = setting.train.key
                if (key.backend, key.devices, key.precision) == (case.backend, case.devices, case.precision):
                    extra = setting.train.cold_extra + (0.0 if setting.infer is None else setting.infer.cold_extra)
                    measured = replace(setting.measured, start_up=setting.measured.start_up - extra)
                    return project(measured.of_one_process(), assumptions, epochs)
    raise NotComparableError(f"{case.label} could not be measured, so nothing can be forecast; its record is {folder}")


def _train(planned: PlannedCase, log: str, runner: Runner, prepared: Prepared, epochs: int) -> Trained:
    """The whole training, from memory, each validation image seen once after every epoch."""
    case = planned.case
    assert planned.backend is not None
    job = Train(
        backend=planned.backend,
        name=case.backend,
        device=case.devices[0],
        workload=planned.workload,
        workload_name=case.workload,
        size=case.size,
        precision=case.precision,
        threads=case.threads,
        prepared=prepared.folder,
        epochs=epochs,
        seed=runner.plan.seed,
        cache=str(runner.compiled),
        views=1,
        options=case.options,
    )
    launch = runner.launch(planned, job, log)
    runner.progress.start(f"training of {epochs} epochs {case.label}", 0.0)
    outcome = run_worker(launch, runner.progress.hear)
    runner.progress.finish()
    if outcome.status != "ok":
        raise NotComparableError(f"the training of {case.label} {outcome.status}: {outcome.reason}; its log is {launch.log}")
    return msgspec.json.decode(outcome.value, type=Trained)


@dataclass(frozen=True)
class Account:
    """What a set of forecasts comes to."""

    count: int
    median_error: float  # of absolute relative errors
    worst_error: float
    covered: int


def account(found: Sequence[Forecast]) -> Account:
    """Raises ValueError without forecasts."""
    errors = [math.fabs(forecast.error) for forecast in found]
    return Account(len(found), median(errors), max(errors), sum(forecast.covered for forecast in found))
