"""Forecasts held to account: a whole training predicted from seconds of measurement, by the model that ``bench report`` uses, then
done, and the two compared.

Each forecast has trials of its own, fresh processes as always, and a training of its own right after them. Both find their programs
compiled: the pilots did that. (It is not only the compiler's time that is saved: on one host, steps of a process in which XLA had
compiled took 8 to 13 % longer than those of one that had read the same program from the cache.) The interval is one of prediction: for
a single process, which differs from the mean of many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.analysis.build import build
from bench.datasets import Dataset
from bench.errors import NotComparableError
from bench.projection.assumptions import Assumptions
from bench.projection.model import Projection, project
from bench.recipes import evaluation_batch
from bench.record.figures import settled
from bench.record.schema import Case, Forecast, Record
from bench.run.crew import run_worker
from bench.run.images import refuse_untrainable
from bench.run.interruption import interruptible
from bench.run.journal import Forecasted, Journal, Pilot
from bench.run.lock import locked
from bench.run.plan import Plan, PlannedCase, Wishes
from bench.run.progress import Progress
from bench.run.runner import Runner
from bench.run.scratch import scratch
from bench.run.seal import seal
from bench.run.session import make_plan, prepare_plan
from bench.worker.answers import Prepared, Trained
from bench.worker.jobs import Train


def forecasts(
    wishes: Wishes,
    interpreters: Mapping[str, str],
    count: int,
    folder: Path,
    wait: bool,
    quiet: bool,
) -> Iterator[tuple[Case, Forecast]]:
    """``count`` forecasts of each training, as they finish; ``folder`` gets a record for each round, its forecasts in it.

    Raises UsageError and NotComparableError before anything is measured, NotComparableError where a trial or a training fails.
    """
    plan = _with_evaluations(make_plan(wishes, interpreters))
    with ExitStack() as stack:
        stack.enter_context(locked([planned.physical for planned in plan.cases], wait))
        stack.enter_context(interruptible())
        plan, prepared = prepare_plan(plan)
        for facts in prepared.values():
            refuse_untrainable(facts)
        pilots: list[Pilot] = []
        trainings = sum(planned.case.how.projected == "training" for planned in plan.cases)
        compiled = stack.enter_context(scratch())
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
                record = seal(numbered, journal, prepared, complete=True)
                broken = next((trial for trial in settled(journal.trials) if trial.status != "ok"), None)
                if broken is not None:
                    raise NotComparableError(f"{plan.cases[broken.case].case.label} cannot be measured: {broken.reason}")
                for index, planned in enumerate(numbered.cases):
                    if planned.case.how.projected == "training":
                        forecast = _held_to_account(index, runner, record, wishes.epochs)
                        journal.add(Forecasted(forecast=forecast))
                        yield planned.case, forecast
                seal(numbered, journal, prepared, complete=True)


def _with_evaluations(plan: Plan) -> Plan:
    """Training, and offline inference with the batch size that evaluations have."""
    cases = []
    kinds = {(device.backend, device.id): device.physical for device in plan.devices}
    for planned in plan.cases:
        case = planned.case
        if case.how.projected == "evaluation":
            size = evaluation_batch(kinds[case.backend, case.device] == "host")
            case = msgspec.structs.replace(case, batch_size=size)
        if case.how.projected:
            cases.append(msgspec.structs.replace(planned, case=case, candidates=(), search=False))
    return msgspec.structs.replace(plan, cases=cases)


def _held_to_account(index: int, runner: Runner, record: Record, epochs: int | None) -> Forecast:
    planned = runner.plan.cases[index]
    case = planned.case
    prepared = runner.prepared[f"{case.workload}-{case.size}"]
    epochs = epochs or prepared.workload.epochs
    trained = _train(planned, f"case{index:02d}-training", runner, prepared, epochs)
    parts = trained.images, trained.validation_images, trained.test_images
    work = Dataset("forecast", "the images of this check", sum(parts), 1.0, "measured here", parts=parts)
    predicted = _predict(case, record, Assumptions(dataset=work, epochs=epochs), epochs).training
    return Forecast(
        case=index,
        epochs=epochs,
        predicted=predicted.value,
        low=predicted.low,
        high=predicted.high,
        measured=trained.elapsed,
    )


def _predict(case: Case, record: Record, assumptions: Assumptions, epochs: int) -> Projection:
    """What ``bench report`` makes of the record, for programs already compiled, with the interval of a single process."""
    report = build([record], assumptions)
    for group in report.groups:
        for row in group.rows:
            for setting in row.settings:
                key = setting.train.key
                if (key.backend, key.devices, key.precision) == (case.backend, case.devices, case.precision):
                    extra = setting.train.cold_extra + (0.0 if setting.infer is None else setting.infer.cold_extra)
                    measured = replace(setting.measured, start_up=setting.measured.start_up - extra)
                    return project(measured.of_one_process(), assumptions, epochs)
    raise NotComparableError(f"{case.label} could not be measured, so nothing can be forecast; its record is {record.id}")


def _train(planned: PlannedCase, log: str, runner: Runner, prepared: Prepared, epochs: int) -> Trained:
    """The whole training as ``bench train`` does it."""
    case = planned.case
    job = Train(
        case=msgspec.structs.replace(case, epochs=epochs),
        backend=planned.backend,
        workload=planned.workload,
        prepared=prepared.folder,
        seed=runner.plan.seed,
        cache=str(runner.compiled_by(case.backend)),
    )
    launch = runner.launch(planned, job, log)
    runner.progress.start(f"training of {epochs} epochs {case.label}", 0.0)
    outcome = run_worker(launch, runner.progress.hear)
    runner.progress.finish()
    if outcome.status != "ok":
        raise NotComparableError(f"the training of {case.label} {outcome.trouble}; its log is {launch.log}")
    return msgspec.json.decode(outcome.value, type=Trained)
