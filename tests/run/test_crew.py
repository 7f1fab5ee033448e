"""Several workers at once: the ranks of one trial, and workers behind a host's command prefix."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bench.record.figures import figure, samples, standing
from bench.record.schema import Place
from bench.run.crew import run_at_once, run_worker
from bench.run.hosts import Host
from bench.run.journal import Journal
from bench.run.plan import Plan, Wishes
from bench.run.process import Launch
from bench.run.progress import Progress
from bench.run.runner import Runner
from bench.run.seal import seal
from bench.run.session import make_plan, prepare_plan
from bench.worker.answers import Surveyed
from bench.worker.jobs import Survey
from tests.support.site import move_in


@pytest.fixture(autouse=True)
def here(tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_in(monkeypatch, tmp_path, site)


def with_places(plan: Plan, count: int, **options: str) -> Plan:
    """The plan with its only case on so many ranks."""
    (planned,) = plan.cases
    case = msgspec.structs.replace(planned.case, places=(Place("test:0", 1),) * count, options=options)
    return msgspec.structs.replace(plan, cases=[msgspec.structs.replace(planned, case=case)])


def runner(tmp_path: Path, ranks: int, **options: str) -> Runner:
    wishes = Wishes(
        backends=("misbehaving",), workload="dots", phases=("train",), precisions=("float64",), trials=1, seconds=0.05,
        ceilings=False,
    )  # fmt: skip
    plan, prepared = prepare_plan(with_places(make_plan(wishes, {}), ranks, **options), lambda event: None)
    return Runner(plan, Journal.create(tmp_path / "run", plan), prepared, Progress(0, quiet=True))


def test_ranks_are_alive_at_once_and_make_one_trial(tmp_path: Path):
    one = runner(tmp_path, 3, pause="0.02")  # far longer than what the ranks take of one another's cores
    one.run()
    record = seal(one.plan, one.journal, one.prepared, complete=True)
    (trial,) = [trial for trial in record.trials if trial.role == "trial"]
    assert len(trial.ranks) == 3
    assert standing(trial) == "proven"
    assert {check.detail.split(":")[0] for check in trial.checks} == {"rank 0", "rank 1", "rank 2"}
    assert trial.images_per_sample == 3 * trial.steps_per_sample * record.cases[0].batch_size
    assert samples(trial) == [max(each) for each in zip(*(rank.samples for rank in trial.ranks), strict=True)]
    assert figure(record.cases[0], trial) < 0
    assert sorted(path.name for path in (tmp_path / "run" / "logs").glob("*-trial0-*")) == [
        f"case00-trial0-rank{rank}.log" for rank in range(3)
    ]


def test_the_first_rank_that_fails_ends_the_others_and_is_named(tmp_path: Path):
    """One rank falls, after all of them have come to their third step; the others wait for ever."""
    one = runner(tmp_path, 3)
    job = one._job(one.plan.cases[0].case, one.plan.cases[0], seed=0)
    launches = one.launches(one.plan.cases[0], job, "crew")
    for rank, fault in enumerate(("hang", "segfault", "hang")):
        case = msgspec.structs.replace(job.case, options={"fault": fault})
        launches[rank] = replace(launches[rank], job=msgspec.structs.replace(job, case=case, rank=rank))
    outcomes = run_at_once(launches)
    assert [outcome.status for outcome in outcomes] == ["killed", "crashed", "killed"]
    assert outcomes[1].reason == "rank 1: the worker crashed with SIGSEGV"
    assert outcomes[0].reason == "ended after rank 1: the worker crashed with SIGSEGV"
    one.keep_trial(outcomes, 0, 0)
    (trial,) = one.journal.trials
    assert (trial.status, trial.reason) == ("crashed", outcomes[1].reason)
    assert "misbehaving_plugin" in trial.ranks[1].log_tail


def test_a_worker_behind_a_prefix_answers_on_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As over a remote shell: no descriptor of ours and none of our variables reach it."""
    prefix = tmp_path / "elsewhere"
    prefix.write_text('#!/bin/sh\necho "welcome" >&2\nexec env -i PATH="$PATH" "$@"\n')
    prefix.chmod(0o755)
    launch = Launch(Survey(), tmp_path / "log", {"PYTHONPATH": os.environ["PYTHONPATH"]}, host=Host("node7", (str(prefix),)))
    outcome = run_worker(launch)
    assert outcome.status == "ok", outcome
    found = msgspec.json.decode(outcome.value, type=Surveyed)
    assert "misbehaving" in [plugin.name for plugin in found.plugins]
    assert "welcome" in (tmp_path / "log").read_text()


def test_what_an_interruption_left_compiled_goes_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A torn program would be compiled again, and that compilation called cached."""
    one = runner(tmp_path, 1)
    torn = one.compiled_by("misbehaving") / "torn"
    torn.parent.mkdir(parents=True)
    torn.touch()
    there: list[bool] = []
    monkeypatch.setattr(one, "pilots", lambda: there.append(torn.exists()))
    one.run()
    assert there == [False]
