"""What counts as one case, what is proven, and what never becomes a figure."""

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from bench.analysis.build import build
from bench.analysis.model import (
    ABOVE_CEILING,
    DISTURBED,
    LOWERINGS,
    NOT_COLD,
    ONE_TRIAL,
    SLOWING,
    STEADY_ASSUMED,
    STILL_MOVING,
    TRIALS_FAILED,
    UNCHECKED,
    UNPROVEN,
)
from bench.analysis.pool import pool
from bench.comparison.facts import facts_of
from bench.durations import duration
from bench.errors import NotComparableError, RecordError
from bench.record.figures import samples
from bench.record.schema import Check, Energy
from bench.report.document import assumption_lines
from bench.report.formats import render
from bench.report.notes import WITHIN, interval_line
from bench.statistics.rates import pooled_rate
from tests.support import records as fake

TRAIN = fake.Script(fake.train(), 75.0)


def only(report):
    (case,) = report.measured
    return case


def one(script=TRAIN, **changes):
    return only(build([fake.record(wanted=[replace(script, **changes)])]))


def trials_changed(record, **changes):
    """The record with these fields in its first trial that is no pilot."""
    first = next(index for index, trial in enumerate(record.trials) if trial.role == "trial")
    trials = list(record.trials)
    trials[first] = fake.changed(trials[first], **changes)
    return msgspec.structs.replace(record, trials=trials)


def test_a_scripted_rate_is_found_again():
    case = one()
    assert case.rate.value == pytest.approx(75, rel=0.03)
    assert case.rate.low < case.rate.value < case.rate.high
    assert case.trials == 5
    assert case.valid
    assert case.marks == ()


def test_pilots_never_enter_a_rate_but_give_the_cold_compile_time():
    case = one()
    assert case.compile_seconds == pytest.approx(20.0)
    assert case.start_up == pytest.approx(2.1 + 0.3 + 0.2 + 20.0)


def test_without_a_cold_compilation_the_cached_one_is_marked():
    record = fake.record(wanted=[TRAIN])
    record = msgspec.structs.replace(record, trials=[trial for trial in record.trials if trial.role == "trial"])
    case = only(build([record]))
    assert case.compile_seconds == pytest.approx(0.5)
    assert NOT_COLD in case.marks


def test_trials_of_equal_cases_are_pooled_over_records():
    case = only(build([fake.record(f"r{seed}", [TRAIN], seed=seed) for seed in range(3)]))
    assert (case.trials, case.records, case.log.degrees_of_freedom, case.log.over) == (15, 3, 2, "records")


def test_the_unit_of_pooled_records_is_the_record():
    """Three records that lie 5 % apart: their trials, all close together within each, are no fifteen independent values."""
    records = [
        fake.record(name, [replace(TRAIN, rate=rate, between=0.0)], seed=seed)
        for seed, (name, rate) in enumerate([("a", 70.0), ("b", 75.0), ("c", 80.0)])
    ]
    pooled = build(records)
    case = only(pooled)
    means = [only(build([record])).log.mean for record in records]
    half = 4.302652729911275 * np.std(means, ddof=1) / math.sqrt(3)  # t of 2 degrees of freedom at 0.975
    assert case.log.mean == pytest.approx(np.mean(means))
    assert case.rate.high == pytest.approx(case.rate.value * math.exp(half))
    assert "over 3 records" in interval_line(pooled.groups[0])
    assert "15 in 3 records" in render(pooled, "markdown")


def test_a_training_without_an_interval_names_the_part_that_has_a_single_trial():
    """Rates of several trials, and decoding of one, which no interval can be given for."""
    scripts = fake.scripts()
    assert "has no interval" not in interval_line(build([fake.record(wanted=scripts)]).groups[0])
    single = [replace(one, trials=1) if one.case.phase == "preprocess" else one for one in scripts]
    report = build([fake.record(wanted=single)])
    line = interval_line(report.groups[0])
    assert "has no interval, since there is a single trial of preprocess." in line
    assert report.groups[0].rows[0].best.projection.training.low is None


def test_a_record_with_a_pilot_alone_is_no_record_of_the_rate():
    whole = fake.record("whole", [TRAIN])
    cut = msgspec.structs.replace(
        fake.record("cut", [TRAIN], seed=1), trials=[t for t in whole.trials if t.role == "pilot"], complete=False
    )
    case = only(build([whole, cut]))
    assert (case.trials, case.records, case.log.over) == (5, 1, "trials")


def test_with_one_record_the_interval_says_within_this_run():
    report = build([fake.record(wanted=[TRAIN])])
    assert only(report).log.over == "trials"
    assert interval_line(report.groups[0]) == WITHIN
    assert "within this run" in render(report, "terminal").replace("\n", " ")


def test_nodes_with_several_records_have_the_record_as_their_unit():
    records = [fake.record(f"{node}{seed}", [TRAIN], seed=seed, labels={"node": node}) for node in "ab" for seed in range(3)]
    (nodes,) = build(records, group_by="node").nodes.values()
    found = {name: pooled_rate(*zip(*timed, strict=True)) for name, timed in nodes.items()}
    assert {name: (rate.n, rate.over) for name, rate in found.items()} == {"a": (3, "records"), "b": (3, "records")}


def test_power_and_latency_over_several_records_have_the_record_as_their_unit():
    counted = {"package-0": Energy(joules=400.0, seconds=4.0, idle_watts=30.0)}
    scripts = [fake.Script(fake.single_stream(), 130.0, samples=1000, warmup=50), replace(TRAIN, change={"energy": counted})]
    cases = build([fake.record(f"r{seed}", scripts, seed=seed) for seed in range(2)]).measured
    train, single = sorted(cases, key=lambda case: case.key.phase == "infer")
    assert (train.power.draw.over, train.power.draw.n) == ("records", 2)
    assert {found.method for found in single.latency} == {"t over records"}


def test_a_record_given_twice_counts_once():
    report = build([fake.record(wanted=[TRAIN]), fake.record(wanted=[TRAIN])])
    assert only(report).trials == 5
    assert "Given twice and counted once: 1 record." in report.notes


@pytest.mark.parametrize(
    "changes",
    [
        {"on": fake.machine("b")},
        {"environment": {"MALLOC_TOP_PAD_": "1"}},
        {"bench": {"version": "0.2.0"}},
        {"devices": [msgspec.structs.replace(fake.CPU, versions={"torch": "2.4.0"})]},
        {"workloads": [msgspec.structs.replace(fake.SMALL, digest="other")]},
        {"on": fake.machine(facts={"ambient": "OMP_PROC_BIND=true"})},
    ],
    ids=["machine", "environment", "harness", "framework", "workload", "ambient"],
)
def test_what_differs_is_never_pooled(changes):
    report = build([fake.record("r0", [TRAIN]), fake.record("r1", [TRAIN], **changes)])
    assert [case.trials for case in report.measured] == [5, 5]


def test_variables_of_the_users_that_never_reached_a_worker_part_no_figures():
    """Older records list the harness's own variables as the user's too."""
    scripts = [fake.Script(fake.train(environment={"OMP_NUM_THREADS": "2", "JAX_PLATFORMS": ""}), 75.0)]
    newer = [fake.Script(fake.train(environment={"OMP_NUM_THREADS": "2"}), 75.0)]
    older = fake.record("r0", scripts, on=fake.machine(facts={"ambient": "OMP_NUM_THREADS=2 KMP_BLOCKTIME=0"}))
    ours = fake.record("r1", newer, on=fake.machine(facts={"ambient": "OMP_NUM_THREADS=1 KMP_BLOCKTIME=0"}))
    case = only(build([older, ours]))
    assert case.trials == 10
    assert case.key.stack.environment == "KMP_BLOCKTIME=0"
    one, other = (facts_of(record, record.cases[0]) for record in (older, ours))
    assert one.differing(other) == {}
    assert one.settings == "OMP_NUM_THREADS=2 KMP_BLOCKTIME=0"


def test_thread_variables_alone_do_not_part_a_device_from_itself():
    cases = [fake.train(cores=n, environment={"OMP_NUM_THREADS": str(n)}) for n in (1, 2)]
    report = build([fake.record(wanted=[fake.Script(case, 75.0) for case in cases])])
    assert len(report.groups[0].rows) == 1


def test_pooled_chosen_batch_sizes_do_not_depend_on_how_they_were_chosen():
    cases = [fake.train(chosen="pilot over 1, 8, 32"), fake.train()]
    records = [fake.record(f"r{index}", [fake.Script(case, 75.0)]) for index, case in enumerate(cases)]
    assert only(build(records)).trials == 10


# ---- proof and physics ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checks", [(), fake.FAILED, (*fake.PASSED, *fake.FAILED)])
def test_without_proof_a_rate_is_marked_and_invalid(checks):
    case = one(checks=checks)
    assert UNPROVEN in case.marks
    assert case.rate is not None
    assert not case.valid


def test_one_failed_check_in_one_trial_spoils_the_case():
    record = trials_changed(fake.record(wanted=[TRAIN]), checks=list(fake.FAILED))
    case = only(build([record]))
    assert UNPROVEN in case.marks
    assert case.trials == 5
    assert "first losses: 0.31, allowed 0.0001, step 2 diverges" in case.broken


def test_an_invalid_trial_spoils_the_case():
    record = trials_changed(fake.record(wanted=[TRAIN]), status="invalid", reason="the losses diverge")
    assert UNPROVEN in only(build([record])).marks


def test_a_trial_without_checks_is_left_out_where_others_passed_and_that_is_said():
    case = only(build([trials_changed(fake.record(wanted=[TRAIN]), checks=[])]))
    assert case.valid
    assert case.trials == 4
    assert UNCHECKED in case.marks


def test_faster_than_physics_is_marked_and_invalid():
    fastest = 110e9 / fake.SMALL.training_flops
    assert one(rate=1.05 * fastest).valid
    case = one(rate=1.2 * fastest)
    assert ABOVE_CEILING in case.marks
    assert not case.valid
    assert case.of_ceiling == pytest.approx(1.2, rel=0.03)


def test_faster_than_copying_is_marked_too():
    script = fake.Script(fake.infer("cuda", "cuda:0"), 1.3 * 21e9 / (64 * 64 * 3))
    no_arithmetic = [ceiling for ceiling in fake.record().ceilings if ceiling.kind == "copy"]
    case = only(build([fake.record(wanted=[script], ceilings=no_arithmetic)]))
    assert case.of_ceiling is None
    assert ABOVE_CEILING in case.marks


def test_ceilings_are_the_highest_that_any_record_has_shown():
    higher = [msgspec.structs.replace(ceiling, rate=2 * ceiling.rate) for ceiling in fake.record().ceilings]
    case = only(build([fake.record("r0", [TRAIN]), fake.record("r1", [TRAIN], ceilings=higher)]))
    assert case.ceiling.rate == pytest.approx(220e9)


@pytest.mark.parametrize("rate", [math.nan, math.inf, 0.0, -1.0])
def test_a_broken_ceiling_is_no_ceiling(rate):
    ceilings = [msgspec.structs.replace(fake.record().ceilings[0], rate=rate)]
    assert only(build([fake.record(wanted=[TRAIN], ceilings=ceilings)])).of_ceiling is None


# ---- marks and failures --------------------------------------------------------------------------------------------


def test_marks():
    assert ONE_TRIAL in one(trials=1).marks
    assert STEADY_ASSUMED in one(change={"steady": "assumed"}).marks
    assert not {STEADY_ASSUMED, STILL_MOVING} & set(one(change={"steady": "detected"}).marks)
    assert STILL_MOVING in one(change={"steady": "moving"}).marks
    assert LOWERINGS in only(build([trials_changed(fake.record(wanted=[TRAIN]), lowering="patches")])).marks
    record = trials_changed(fake.record(wanted=[TRAIN]), status="killed", reason="out of patience\nTraceback")
    report = build([record])
    assert TRIALS_FAILED in only(report).marks
    assert only(report).trials == 4
    assert report.failures[0].reason == "killed: out of patience"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"samples": [0.1, math.nan]}, "no number"),
        ({"samples": [0.1, -0.1]}, "takes time"),
        ({"samples": [0.1, 0.0]}, "takes time"),
        ({"samples": []}, "no samples"),
        ({"warmup": 50}, "50 warm-up samples of 50"),
        ({"images_per_sample": 0}, "0 images per sample"),
    ],
)
def test_one_broken_trial_leaves_no_figure(changes, reason):
    record = trials_changed(fake.record(wanted=[TRAIN, fake.Script(fake.infer(), 280.0)]), **({"warmup": 0} | changes))
    case = next(case for case in build([record]).measured if case.key.phase == "train")
    assert case.rate is None
    assert reason in case.no_figure
    assert not case.valid


def test_nothing_measured_is_an_error_with_the_first_reason():
    record = fake.record(wanted=[replace(TRAIN, status="out of memory", reason="the device has 8 GiB")])
    with pytest.raises(NotComparableError, match="the device has 8 GiB"):
        build([record])
    with pytest.raises(NotComparableError, match="JAX is not importable"):
        build([fake.record(wanted=[])])
    with pytest.raises(NotComparableError, match="no records"):
        build([])


@pytest.mark.parametrize("case", [-1, 1, 99])
def test_a_trial_of_no_case_is_a_broken_record(case):
    with pytest.raises(RecordError, match=f"trial of case {case}"):
        pool([trials_changed(fake.record(wanted=[TRAIN]), case=case)])


@pytest.mark.parametrize("seconds", [math.nan, -1.0, 1e300])
def test_a_broken_stage_leaves_no_figure(seconds):
    with pytest.raises(NotComparableError, match=r"impossible: .* stage"):
        one(change={"stages": {"import": 2.0, "build": seconds}})


def test_latency_of_single_stream():
    case = one(fake.Script(fake.single_stream(), 130.0, samples=1000, warmup=50, within=0.1))
    assert [found.percent for found in case.latency] == [50, 90, 99]
    assert case.latency[0].latency.value == pytest.approx(1 / 130, rel=0.05)
    assert one(fake.Script(fake.single_stream(), 130.0, trials=1, samples=30)).latency[-1].percent == 50


def test_preprocessing_is_in_megapixels_and_needs_proof_too():
    case = one(fake.Script(fake.preprocess(), 41.0, cold=None))
    assert case.rate.value == pytest.approx(41, rel=0.03)
    assert UNPROVEN in one(fake.Script(fake.preprocess(), 41.0, checks=[Check(name="decoded image", passed=False)])).marks


# ---- disturbed trials ----------------------------------------------------------------------------------------------

HOT = "gpu:0 was slowed down: hardware thermal slowdown in 7 of 12 looks"


@pytest.mark.parametrize("script", [TRAIN, fake.Script(fake.preprocess(), 41.0, cold=None)])
def test_trials_that_slow_down_are_found_in_their_samples_and_marked(script):
    """Nothing in an old record says so but its samples."""
    record = fake.record(wanted=[script])
    trials = []
    for trial in record.trials:
        took = samples(trial)
        trials.append(fake.changed(trial, samples=[*took[:28], *(1.1 * seconds for seconds in took[28:])], wall=1e3))
    case = only(report := build([msgspec.structs.replace(record, trials=trials)]))
    assert SLOWING in case.marks
    assert case.valid
    assert case.slowing == 5
    assert "5 of 5 trials became slower to the end of" in render(report, "markdown")
    assert SLOWING not in one(script).marks
    assert SLOWING not in only(build([msgspec.structs.replace(record, trials=[*record.trials[:-1], trials[-1]])])).marks


def test_the_report_says_from_how_many_seconds_hours_are_projected():
    report = build([fake.record(wanted=[TRAIN])])
    assert f"Each trial timed {duration(only(report).steady_seconds)} of steady work" in " ".join(assumption_lines(report))


def test_one_disturbed_trial_marks_the_figure_and_keeps_it():
    report = build([trials_changed(fake.record(wanted=[TRAIN]), disturbances=[HOT])])
    case = only(report)
    assert case.marks == (DISTURBED,)
    assert case.valid
    assert (case.disturbed, case.disturbances) == (1, (HOT,))
    assert case.rate == one().rate


def test_what_is_normal_under_full_load_marks_nothing():
    assert one(change={"clock_limits": ["gpu:0 had its clocks limited: software power cap in 7 of 12 looks"]}).marks == ()


def test_disturbed_pilots_and_trials_that_do_not_count_mark_nothing():
    record = fake.record(wanted=[TRAIN])
    pilots = [fake.changed(trial, disturbances=[HOT] * (trial.role == "pilot")) for trial in record.trials]
    assert DISTURBED not in only(build([msgspec.structs.replace(record, trials=pilots)])).marks
    assert DISTURBED not in only(build([trials_changed(record, disturbances=[HOT], checks=[])])).marks
