"""``bench run --within``: trials are added to cases that are too wide, and a complete run can be extended."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from msgspec import structs

from bench.analysis.build import build
from bench.durations import duration
from bench.record.figures import standing, trials_of
from bench.record.files import read_record
from bench.record.plausible import sentences
from bench.record.schema import Check, Extended, Record, Trial
from bench.report.formats import render
from bench.report.notes import width_lines
from bench.run.journal import Done, Journal, Pilot
from bench.run.plan import Plan, PlannedCase
from bench.run.rounds import needs_more, round_orders
from bench.run.runner import Runner, workers_to_come
from bench.statistics import stopping
from bench.worker.jobs import Blocks
from tests.run.test_faults import TRAIN, held_after, the_record, the_run, wait_for_the_end, wait_until_held
from tests.support import records as fake
from tests.support.site import bench, start_bench
from tests.support.waiting import PATIENCE


def numbers(record: Record) -> list[int]:
    return sorted(trial.number for trial in record.trials if trial.role == "trial")


def proven(record: Record) -> int:
    """How many trials give a figure; what is disturbed on a busy machine does not, and another one takes its place."""
    return sum(trial.role == "trial" and standing(trial) == "proven" for trial in record.trials)


def until(trials: int):
    """A rule that asks for so many trials, and remembers the wishes that it was told."""
    wishes: list[float] = []

    def is_wide(log_times: Sequence[float], within: float) -> bool:
        wishes.append(within)
        return len(log_times) < trials

    return is_wide, wishes


def test_trials_are_added_until_narrow_enough_and_the_run_can_be_extended(tmp_path, site, monkeypatch):
    is_wide, wishes = until(2)
    monkeypatch.setattr(stopping, "is_wide", is_wide)
    done = bench([*(word for word in TRAIN if word != "--quiet"), "--trials", "1", "--within", "5%"], tmp_path, site)
    assert done.returncode in {0, 6}, done.stderr  # 6: others used the machine, and a trial was disturbed
    assert re.search(r"\[3/\d\+\] trial 2", done.stderr)
    first, record = the_run(tmp_path), the_record(tmp_path)
    assert (proven(record), record.within, record.complete, set(wishes)) == (2, 5.0, True, {5.0})
    done = bench(["run", "--resume", str(first)], tmp_path, site)
    assert done.returncode == 2
    assert "would become narrower than ± 5 % by more trials" in done.stderr
    assert the_run(tmp_path) == first
    is_wide, wishes = until(4)
    monkeypatch.setattr(stopping, "is_wide", is_wide)
    bench(["run", "--resume", str(first), "--within", "2.5", "--trials", "1", "--quiet"], tmp_path, site)
    (second,) = (folder for folder in first.parent.iterdir() if folder != first)
    longer = read_record(second)
    assert (proven(longer), longer.within, set(wishes)) == (4, 2.5, {2.5})
    assert longer.trials[: len(record.trials)] == record.trials
    assert [known.id for known in longer.extends] == [record.id]
    assert sentences(longer) == []
    bench(["run", "--resume", str(first), "--trials", "1", "--quiet"], tmp_path, site)
    (third,) = (folder for folder in first.parent.iterdir() if folder not in {first, second})
    fixed = read_record(third)
    assert (numbers(fixed)[-1], fixed.within) == (numbers(record)[-1] + 1, 0.0), "the number of trials is what was asked for"
    done = bench(["run", "--resume", str(second), "--trials", "10000"], tmp_path, site)
    assert done.returncode == 2
    assert re.search(r"\d+ rounds and 10000 more are not possible", done.stderr)


def test_time_that_is_up_after_the_planned_rounds_is_a_normal_end(tmp_path, site):
    """The alarm is sent by hand, so that no machine is too slow for the trials before it."""
    words = [*TRAIN, "--trials", "2", "--within", "0.01%", "--time-limit", "24h", *held_after(2, tmp_path)]
    process = start_bench(words, tmp_path, site)
    worker = psutil.Process(wait_until_held(tmp_path))
    process.send_signal(signal.SIGALRM)
    assert process.wait(PATIENCE) == 0
    wait_for_the_end(worker)
    record = the_record(tmp_path)
    assert (record.complete, numbers(record)) == (True, [0, 1])
    assert sum(trial.brief for trial in record.trials if trial.role == "trial") == 1, "one of them is checked on many images"
    assert not (the_run(tmp_path) / "compiled").exists()
    assert "Wider than ± 0.01 %: " in (tmp_path / "output").read_text()


def test_a_plan_says_what_is_known_of_it(tmp_path, site):
    done = bench([*TRAIN, "--within", "5", "--dry-run"], tmp_path, site)
    assert "1 cases, at least 5 trials each, at least" in done.stdout
    assert done.stdout.rstrip().endswith("more trials until each interval is within ± 5 %")


# ---- which cases get more trials, without a process -----------------------------------------------------------------------


def plan_of(record: Record, **changes: object) -> Plan:
    workload = fake_plugin()
    cases = [PlannedCase(case=case, backend=None, workload=workload, interpreter="") for case in record.cases]
    fields = {
        "id": record.id, "created": record.created, "command": [], "seed": 3, "trials": 3, "seconds": 1.0, "stall": 10.0,
        "ceilings": False, "machines": record.machines, "devices": [], "data": None, "cases": cases, "skips": [], "labels": {},
        "within": 5.0,
    }  # fmt: skip
    return Plan(**(fields | changes))


def fake_plugin():
    from bench.entry_points import PluginRef

    return PluginRef(name="melanoma", module="workloads")


def journal_of(trials: Sequence[Trial], folder: Path) -> Journal:
    """A journal in which the pilots of both cases stand before these trials."""
    journal = Journal(folder)
    for case in (0, 1):
        trial = fake.changed(EXAMPLE.trials[0], case=case, role="pilot")
        journal.entries.append(Pilot(trial=trial, blocks=Blocks(steps=1, warmup=0, samples=6)))
    journal.entries += [Done(trial=trial) for trial in trials]
    return journal


PREPROCESS = [fake.Script(fake.preprocess(1), 20.0, trials=3), fake.Script(fake.preprocess(2), 40.0, trials=3)]
EXAMPLE = fake.record(wanted=PREPROCESS)


def always(log_times: Sequence[float], within: float) -> bool:
    return True


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ([{}], True),
        ([{"status": "failed"}], True),  # the others give a figure
        ([{"status": "failed"}] * 3, False),
        ([{"checks": [Check(name="pixels", passed=False)]}], False),  # no trial makes that good
        ([{"warmup": 50}], False),  # no sample is left, and so there is no figure
    ],
)
def test_a_case_whose_figure_cannot_come_is_left(tmp_path, changes, wanted):
    record = fake.record(wanted=PREPROCESS)
    trials = trials_of(record.trials, 0)
    for at, change in enumerate(changes):
        trials[at] = fake.changed(trials[at], **change)
    assert needs_more(plan_of(record), journal_of(trials, tmp_path), 0, always) is wanted
    assert not needs_more(plan_of(record, within=0.0), journal_of(trials, tmp_path), 0, always)


class Scripted(Runner):
    """A runner whose trials are done at once; case 1 scatters."""

    made: list[tuple[int, int]]

    def _trial(self, index, number, pilot):
        self.made.append((index, number))
        slow = 1.0 + 0.1 * (number % 2) * index
        like = next(trial for trial in EXAMPLE.trials if (trial.case, trial.role) == (index, "trial"))
        samples = [sample * slow for sample in like.ranks[0].samples[:6]]
        pixels = like.ranks[0].pixels_per_sample[:6]
        trial = fake.changed(like, samples=samples, pixels_per_sample=pixels, number=number, order=len(self.made))
        self.journal.entries.append(Done(trial=trial))


def scripted(folder: Path, journal: Journal | None = None, **changes: object) -> Scripted:
    runner = Scripted(plan_of(EXAMPLE, **changes), journal or journal_of([], folder), {}, None, judge=stopping.is_wide)
    runner.made = []
    runner.run()
    return runner


def test_only_what_is_too_wide_gets_more_trials_and_a_resumed_run_goes_on_by_the_same_rule(tmp_path):
    whole = scripted(tmp_path)
    counts = [sum(index == case for index, _ in whole.made) for case in (0, 1)]
    assert counts[0] == 3 < counts[1]
    assert workers_to_come(whole.plan, whole.journal) == 0
    assert whole.made[:6] == [
        (case, number) for number, order in zip(range(3), round_orders(2, 3), strict=False) for case in order
    ]
    for kept in (2, 6, 8):
        journal = journal_of([], tmp_path)
        journal.entries += whole.journal.entries[2:][:kept]
        assert scripted(tmp_path, journal).made == whole.made[kept:]


def test_an_extension_leaves_the_rounds_before_it_as_they_are(tmp_path):
    whole = scripted(tmp_path)
    most = max(number for _, number in whole.made)
    longer = scripted(tmp_path, whole.journal, begins=most + 1, trials=most + 3, within=0.0)
    assert sorted(longer.made) == [(case, number) for case in (0, 1) for number in (most + 1, most + 2)]


def test_the_cap_on_trials_ends_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.run.plan.MOST_TRIALS", 5)
    runner = scripted(tmp_path, within=0.001)
    assert max(number for _, number in runner.made) == 4


# ---- what reports say of it ------------------------------------------------------------------------------------------------


def test_intervals_allow_for_having_been_looked_at():
    fixed = fake.record(wanted=PREPROCESS)
    (plain, _), (wished, _) = (build([structs.replace(fixed, within=within)]).measured for within in (0.0, 5.0))
    assert wished.log == stopping.looked_at(plain.log)
    assert wished.log.standard_error > plain.log.standard_error


def hinted(*records: Record) -> list[str]:
    return width_lines(build(records))


def test_a_wide_rate_is_named_with_what_would_narrow_it():
    scattered = fake.record(
        wanted=[fake.Script(fake.train(), 75.0, trials=3, between=0.1), fake.Script(fake.infer(), 280.0)]
    )
    (case,) = (case for case in build([scattered]).measured if case.key.phase == "train")
    (line,) = hinted(scattered)
    more = stopping.trials_needed(case.log, 10.0) - 3
    assert line.startswith("Wider than ± 10 %: Intel Xeon Platinum 8468, 2 cores (cpu), train, fp32, batch 32 (± ")
    assert f"About {more} more trials a case, {duration(more * case.wall_seconds)} in all, would give ± 10 %: " in line
    assert line.endswith("bench run --resume FOLDER --within 10%, where FOLDER is that of run r0.")
    assert line in json.loads(render(build([scattered]), "json"))["notes"]
    for style in ("terminal", "markdown"):
        assert "would give ± 10 %" in " ".join(render(build([scattered]), style).split())
    assert hinted(structs.replace(scattered, within=1000.0)) == []
    assert hinted(structs.replace(scattered, within=0.5))[0].startswith("Wider than ± 0.5 %: ")


def test_hints_know_their_bounds():
    noisy = fake.record(wanted=[fake.Script(fake.train(), 50.0, trials=3, between=0.3)])
    assert "some would need more than 1,000 trials" in hinted(structs.replace(noisy, within=0.5))[0]
    single = fake.record(wanted=[fake.Script(fake.train(), 75.0, trials=1)])
    assert hinted(single) == []
    assert hinted(structs.replace(single, within=5.0))[0].startswith("Of too few trials for an interval: ")
    unproven = fake.record(wanted=[fake.Script(fake.train(), 75.0, trials=3, between=0.3, checks=fake.FAILED)])
    assert hinted(unproven) == []


def test_a_case_that_hardly_ran_is_counted_once_where_it_was_extended():
    """Trials that failed, and trainings to a target, have no samples to be known by."""
    failed = fake.record(
        wanted=[
            fake.Script(fake.train(), 75.0),
            fake.Script(fake.infer(), 9.0, status="failed", reason="no", samples=0, warmup=0),
        ]
    )
    later = "2026-01-07T10:00:00Z"
    longer = structs.replace(
        failed, id="r1", created=later, finished="2026-01-07T11:00:00Z", extends=[Extended(id="r0", created=failed.created)]
    )
    assert sentences(longer) == []
    for order in ([failed, longer], [longer, failed]):
        report = build(order)
        assert {remark.count for remark in report.failures} == {1, 5}
        assert [case.trials for case in report.measured if case.log is not None] == [5]
        assert "Trials that stand in two records were counted once: 10 trials." in report.notes
    wrong = structs.replace(longer, extends=[Extended(id="r0", created="2026-01-08T10:00:00Z")])
    assert any("an extended record that was begun after it" in sentence for sentence in sentences(wrong))
    assert any("itself among the records" in sentence for sentence in sentences(structs.replace(longer, id="r0")))
