"""From a finished journal to a sealed record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from bench import __version__
from bench.record.files import NAME, write_record
from bench.record.schema import VERSION, Record
from bench.run.journal import Ceilings, Forecasted, Journal, Skipped
from bench.run.plan import Plan
from bench.run.privacy import Scrub
from bench.run.runner import settled_case
from bench.worker.answers import Prepared


def seal(plan: Plan, journal: Journal, prepared: Mapping[str, Prepared], complete: bool) -> Record:
    """Write ``record.json`` into the run's folder and return it."""
    environments = [planned.case.environment for planned in plan.cases]
    shared = {name: value for name, value in environments[0].items() if all(e.get(name) == value for e in environments)}
    commits = {rank.package.get("commit", "") for trial in journal.trials for rank in trial.ranks} - {""}
    record = Record(
        version=VERSION,
        id=plan.id,
        created=plan.created,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        command=plan.command,
        seed=plan.seed,
        bench={"version": __version__, "commit": " ".join(sorted(commits))},
        machines=plan.machines,
        environment=shared,
        devices=plan.devices,
        workloads=[p.workload for p in prepared.values()],
        data=[p.data for p in prepared.values()],
        cases=[
            settled_case(planned.case, journal.pilot(index) or journal.chosen(index))
            for index, planned in enumerate(plan.cases)
        ],
        trials=journal.trials,
        ceilings=[ceiling for entry in journal.entries if isinstance(entry, Ceilings) for ceiling in entry.ceilings],
        skips=plan.skips + [entry.skip for entry in journal.entries if isinstance(entry, Skipped)],
        labels=plan.labels,
        forecasts=[entry.forecast for entry in journal.entries if isinstance(entry, Forecasted)],
        complete=complete,
        within=plan.within,
        extends=plan.extends,
    )
    record = Scrub(plan.data).record(record)
    write_record(record, journal.folder / NAME)
    return record
