"""Everything in a record that cannot be, by a table: what is changed, and the sentence that says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.analysis.build import build
from bench.analysis.model import IMPOSSIBLE
from bench.errors import RecordError
from bench.record.files import find_records, read_record, write_record
from bench.record.plausible import check_record, faults, refuse_impossible, sentences
from bench.record.schema import Check, Energy, Evaluation, Forecast, Place, Record
from bench.report.formats import render
from tests.cli.test_results import run
from tests.support import records as fake

RESULTS = Path(__file__).parents[2] / "results"
replace = msgspec.structs.replace
Change = Callable[[Record], Record]

POINT = Evaluation(epoch=1, steps=10, seconds=2.0, loss=0.5, measures={"auc": 0.7, "accuracy": 0.6})
LATER = replace(POINT, epoch=2, steps=20, seconds=4.0)


def to_quality(**changes: Any) -> fake.Script:
    case = fake.train(scenario="to-quality", epochs=10, targets={"auc": 0.8})
    own = {
        "curve": [POINT, LATER],
        "samples": [],
        "images_per_sample": 0,
        "steps_per_sample": 0,
        "warmup": 0,
        "stages": {"steady": 5.0},
    }
    return fake.Script(case, 75.0, cold=None, change=own | changes)


def whole() -> Record:
    """A record of every scenario's kind: decoding, training, inference, single queries, and a training to its target."""
    scripts = [
        fake.Script(fake.preprocess(), 41.0, trials=2, cold=None),
        fake.Script(fake.train(), 75.0, trials=2),
        fake.Script(fake.single_stream(), 130.0, trials=2, samples=200, warmup=10),
        with_changes(to_quality(), trials=2),
    ]
    energy = {"package-0": Energy(joules=400.0, seconds=4.0, idle_watts=30.0)}
    record = fake.record(
        "whole", scripts, forecasts=[Forecast(case=1, epochs=2, predicted=9.0, low=8.0, high=10.0, measured=9.5)]
    )
    return replace(record, trials=[fake.changed(trial, energy=energy) for trial in record.trials])


DECODING, TRAINING, SINGLE, TARGET = range(4)


def trial(place: int = TRAINING, role: str = "trial", **changes: Any) -> Change:
    """Change the first trial of a case."""

    def change(record: Record) -> Record:
        at = next(index for index, one in enumerate(record.trials) if (one.case, one.role) == (place, role))
        trials = list(record.trials)
        trials[at] = fake.changed(trials[at], **changes)
        return replace(record, trials=trials)

    return change


def case(place: int = TRAINING, **changes: Any) -> Change:
    return lambda record: replace(
        record, cases=[replace(one, **changes) if at == place else one for at, one in enumerate(record.cases)]
    )


def machine(**changes: Any) -> Change:
    return lambda record: replace(record, machines={"": replace(record.machine, **changes)})


def first(field: str, **changes: Any) -> Change:
    """Change the first of the record's ceilings, forecasts, data or workloads."""
    return lambda record: replace(
        record, **{field: [replace(getattr(record, field)[0], **changes), *getattr(record, field)[1:]]}
    )


def copied(record: Record) -> Record:
    """The first training trial under two numbers."""
    one, two = (at for at, found in enumerate(record.trials) if (found.case, found.role) == (TRAINING, "trial"))
    trials = list(record.trials)
    trials[two] = replace(trials[one], number=trials[two].number, order=trials[two].order)
    return replace(record, trials=trials)


def scaled(factor: float) -> Change:
    def change(record: Record) -> Record:
        own = next(found for found in record.trials if (found.case, found.role) == (TRAINING, "trial")).ranks[0].samples
        return trial(samples=[seconds * factor for seconds in own])(record)

    return change


IMPOSSIBLE_TRIALS: dict[str, tuple[Change, str]] = {
    "images that no batch holds": (trial(images_per_sample=64_000), "64,000 images per sample; 20 steps of batch 32"),
    "steps that no batch holds": (trial(steps_per_sample=7), "7 steps of batch 32 on 1 ranks hold 224"),
    "samples of no time": (scaled(1e-12), "shorter than a clock can be read"),
    "samples longer than the trial": (scaled(100.0), "more than its wall time"),
    "a short wall time": (trial(wall=3.0), "more than its wall time of 3 s"),
    "one trial under two numbers": (copied, "the same samples in trial 0"),
    "a negative stage": (trial(stages={"steady": -3.0}), "a stage (steady) of -3 s"),
    "a stage that is no number": (trial(stages={"import": math.nan}), "a stage (import) of not-a-number s"),
    "stages longer than the trial": (trial(stages={"import": 1e5}), "stages of 100000 s in all"),
    "a sample that is no number": (trial(samples=[0.1, math.nan], warmup=0), "no number, or infinite"),
    "an infinite sample": (trial(samples=[0.1, math.inf], warmup=0), "no number, or infinite"),
    "a sample backwards in time": (trial(samples=[0.1, -0.1], warmup=0), "a sample of -0.1 s"),
    "a sample of zero": (trial(samples=[0.1, 0.0], warmup=0), "a sample of 0 s"),
    "no samples at all": (trial(samples=[], warmup=0), "no samples, though it ended well"),
    "nothing but warm-up": (trial(warmup=50), "50 warm-up samples of 50"),
    "a negative warm-up": (trial(warmup=-5), "-5 warm-up samples"),
    "a negative count of steps": (trial(steps_per_sample=-20, images_per_sample=-640), "-20 steps per sample"),
    "negative memory": (trial(host_memory=-1), "-1 bytes of host memory"),
    "negative device memory": (trial(device_memory=-1), "-1 bytes of device memory"),
    "more memory than there is": (trial(host_memory=10**15), "on a machine of"),
    "a negative number": (trial(number=-1), "-1 as its number"),
    "a negative place": (trial(order=-1), "-1 as its place in the order"),
    "a negative wall time": (trial(wall=-1.0), "a wall time of -1 s"),
    "an infinite wall time": (trial(wall=math.inf), "a wall time of infinitely many s"),
    "a trial longer than its record": (trial(wall=1e6), "in a record of"),
    "a start before the record": (trial(started="2025-12-31T10:00:00Z"), "before its record was begun"),
    "a start after the record": (trial(started="2026-02-05T10:00:00Z"), "after its record was finished"),
    "a rank too many": (case(places=(Place("cpu"), Place("cpu"))), "1 ranks for 2 places"),
    "a loss that is no number": (trial(losses=[0.7, math.nan]), "a loss that is no number"),
    "pixels for other samples": (trial(DECODING, pixels_per_sample=[10]), "1 counts of pixels for 50 samples"),
    "a sample without pixels": (trial(DECODING, pixels_per_sample=[0] * 50), "a sample of 0 pixels"),
    "passed beyond what is allowed": (
        trial(checks=[Check(name="first losses", passed=True, found=0.31, allowed=1e-4)]),
        "a passed check (first losses) that found 0.31, above the 0.0001 allowed",
    ),
    "passed with no number": (
        trial(checks=[Check(name="first losses", passed=True, found=math.nan, allowed=1e-4)]),
        "a passed check (first losses)",
    ),
    "passed below what is asked": (
        trial(checks=[Check(name="updates follow the gradient", passed=True, found=0.2, allowed=0.75)]),
        "below the 0.75 asked for",
    ),
    "an AUC of 7": (trial(TARGET, curve=[POINT, replace(LATER, measures={"auc": 7.0})]), "a validation auc of 7"),
    "a negative accuracy": (trial(TARGET, curve=[replace(POINT, measures={"accuracy": -0.1})]), "accuracy of -0.1"),
    "an AUC that is no number": (trial(TARGET, test={"auc": math.nan}), "a test auc of not-a-number"),
    "epochs that fall": (trial(TARGET, curve=[POINT, replace(LATER, epoch=1)]), "epochs do not rise"),
    "steps that fall": (trial(TARGET, curve=[POINT, replace(LATER, steps=5)]), "steps do not rise"),
    "seconds that fall": (trial(TARGET, curve=[POINT, replace(LATER, seconds=1.0)]), "seconds do not rise"),
    "an evaluation before the clock": (trial(TARGET, curve=[replace(POINT, seconds=-2.0)]), "seconds do not rise"),
    "a curve longer than the trial": (trial(TARGET, curve=[replace(POINT, seconds=900.0)]), "a curve of 900 s"),
    "a loss on the curve that is no number": (trial(TARGET, curve=[replace(POINT, loss=math.inf)]), "a loss on its curve"),
    "more epochs than there are": (case(TARGET, epochs=1), "2 evaluations of 1 epochs"),
    "no evaluation": (trial(TARGET, curve=[]), "no evaluation"),
    "evaluations of a plain training": (trial(curve=[POINT]), "trained to no target"),
    "a negative batch": (case(batch_size=-32), "a batch of -32 images"),
    "a batch of nothing": (case(batch_size=0), "a batch of 0 images"),
    "a query of several images": (case(SINGLE, batch_size=8), "where each query is one image"),
    "a target beyond reach": (case(TARGET, targets={"auc": 1.5}), "a target of 1.5 for auc"),
    "a target that a constant answer reaches": (case(TARGET, targets={"auc": 0.5}), "which a constant answer reaches"),
    "no target": (case(TARGET, targets={}), "a target that is not named"),
    "negative epochs": (case(TARGET, epochs=-3), "-3 epochs"),
    "a network without an inside": (first("workloads", parameters=-1), "a network of -1 parameters"),
    "training for less than its forward pass": (first("workloads", training_flops=5), "its forward pass alone"),
}
"""What spoils the figures of a case."""

BESIDE: dict[str, tuple[Change, str]] = {
    "a ceiling of nothing": (first("ceilings", rate=0.0), "a ceiling of arithmetic of 0"),
    "a negative ceiling": (first("ceilings", rate=-1.0), "a ceiling of arithmetic of -1"),
    "a forecast outside its interval": (first("forecasts", predicted=20.0), "outside its own interval"),
    "a forecast of no time": (first("forecasts", measured=0.0), "a forecast whose time (measured) is 0 s"),
    "half an interval": (first("forecasts", low=None), "one end of an interval"),
    "a forecast of no epoch": (first("forecasts", epochs=0), "a forecast of 0 epochs"),
    "a negative number of images": (first("data", count=-1), "a set of -1 images"),
    "images without pixels": (first("data", megapixels=0.0), "images of 0 megapixels"),
    "energy that flows back": (trial(energy={"gpu:0": Energy(joules=-5.0, seconds=4.0)}), "an energy of -5 J"),
    "the draw of a sun": (trial(energy={"gpu:0": Energy(joules=1e30, seconds=4.0)}), "a draw of 2.5e+29 W"),
    "energy of no time": (trial(energy={"gpu:0": Energy(joules=5.0, seconds=0.0)}), "energy counted for 0 s"),
    "energy counted longer than the trial": (
        trial(energy={"gpu:0": Energy(joules=5.0, seconds=1e6)}),
        "counted for 1e+06 s",
    ),
    "a negative idle draw": (
        trial(energy={"gpu:0": Energy(joules=5.0, seconds=1.0, idle_watts=-1.0)}),
        "an idle draw of -1 W",
    ),
}
"""What spoils no case's figures, and counts nowhere itself."""

BROKEN: dict[str, tuple[Change, str]] = {
    "a trial of no case": (trial(case=9), "a trial of case 9"),
    "a forecast of no case": (first("forecasts", case=-1), "a forecast of case -1"),
    "one number twice": (lambda record: replace(record, trials=[*record.trials, record.trials[0]]), "more than once"),
    "one place twice": (trial(order=4), "2 trials at place 4"),
    "dates reversed": (lambda record: replace(record, finished="2025-01-01T00:00:00Z"), "before it was begun"),
    "no cores": (machine(cores=0), "0 cores"),
    "more cores than there are": (machine(cores=9), "9 usable cores of 2"),
    "negative memory of a machine": (machine(memory=-1), "-1 bytes of memory"),
}
"""What leaves nothing of a record to be read with sense."""


def test_whole_records_are_plausible():
    assert sentences(whole()) == []
    assert sentences(fake.record()) == []


@pytest.mark.parametrize("place", find_records(RESULTS), ids=lambda place: place.parent.name)
def test_published_records_are_plausible(place):
    assert sentences(read_record(place)) == []


@pytest.mark.parametrize("name", IMPOSSIBLE_TRIALS)
def test_what_cannot_have_been_measured_is_said_and_its_case_is_marked(name):
    change, words = IMPOSSIBLE_TRIALS[name]
    record = change(whole())
    check_record(record)
    found = [fault for fault in faults(record) if fault.case is not None]
    assert any(words in fault.sentence for fault in found), faults(record)
    with pytest.raises(RecordError, match="record whole has"):
        refuse_impossible(record)
    good = fake.record("good", [fake.Script(fake.train(precision="bf16"), 140.0)])
    report = build([record, good])
    spoilt = [case for case in (*report.measured, *report.to_quality) if IMPOSSIBLE in case.marks]
    assert spoilt
    assert all(case.log is None and not case.valid and "impossible" in case.no_figure for case in spoilt)
    assert any(words in remark.reason for remark in report.impossible)


@pytest.mark.parametrize("name", BESIDE)
def test_what_stands_beside_the_cases_is_said_and_counts_nowhere(name):
    change, words = BESIDE[name]
    record = change(whole())
    assert any(words in sentence for sentence in sentences(record)), sentences(record)
    report = build([record])
    assert any(words in remark.reason for remark in report.impossible)
    assert not any(IMPOSSIBLE in case.marks for case in report.measured)
    assert words in render(report, "markdown").replace("\\", "").replace("&#58;", ":")


@pytest.mark.parametrize("name", BROKEN)
def test_a_record_whose_parts_contradict_each_other_is_refused(name):
    change, words = BROKEN[name]
    record = change(whole())
    with pytest.raises(RecordError, match=words):
        check_record(record)
    with pytest.raises(RecordError, match=words):
        build([record])


def test_the_other_records_of_a_case_still_count_beside_a_mark():
    good, bad = fake.record("good"), fake.record("bad", seed=3)
    bad = trial(2, images_per_sample=5)(bad)
    marked = [case for case in build([good, bad]).measured if IMPOSSIBLE in case.marks]
    assert [(case.records, case.trials) for case in marked] == [(1, 5)]
    assert "⊗" in render(build([good, bad]), "terminal")


def test_one_trial_in_two_records_counts_once():
    """An extended record holds the trials of the one before it: their repetition narrows no interval."""
    record = fake.record()
    again = replace(record, id="r1")
    alone, both = build([record]), build([record, again])
    assert [case.log for case in both.measured] == [case.log for case in alone.measured]
    assert "Trials that stand in two records were counted once" in both.notes[0]


def test_validate_gives_a_sentence_for_each_thing_that_cannot_be(tmp_path, capsys):
    record = trial(SINGLE, samples=[1e-12] * 200)(trial(wall=-1.0)(whole()))
    write_record(whole(), tmp_path / "record.json")
    assert run(capsys, "results", "validate", tmp_path)[0] == 0
    write_record(record, tmp_path / "record.json")
    code, out, _ = run(capsys, "results", "validate", tmp_path)
    assert code == 2
    assert "a wall time of -1 s" in out
    assert "shorter than a clock can be read" in out
    assert len([line for line in out.splitlines() if line.startswith("impossible: ")]) >= 3


def test_a_comparison_refuses_an_impossible_record(tmp_path, capsys):
    for name, record in (("a", whole()), ("b", scaled(1e-12)(replace(whole(), id="b")))):
        (tmp_path / name).mkdir()
        write_record(record, tmp_path / name / "record.json")
    code, _, err = run(capsys, "compare", tmp_path / "a", tmp_path / "b")
    assert code == 2
    assert "shorter than a clock can be read" in err


def test_of_very_many_faults_people_read_the_first():
    record = whole()
    record = replace(record, trials=[fake.changed(one, wall=-1.0) for one in record.trials])
    record = replace(record, ceilings=[replace(record.ceilings[0], rate=-1.0)] * 40)
    found = sentences(record)
    assert len(found) == 21
    assert found[-1].endswith("further faults")
