"""Which records may be compared, and what is said of those that may."""

from __future__ import annotations

import math
import re
from dataclasses import replace as with_changes
from typing import Any

import msgspec
import pytest

from bench.comparison.compare import compare, refuse_unjudgeable
from bench.comparison.document import as_json, as_junit, sections
from bench.comparison.model import gravest, percent
from bench.comparison.trials import turns
from bench.errors import ExitCode, NotComparableError
from bench.record.figures import samples
from bench.record.schema import Record, Skip
from bench.statistics.pairs import ERROR_LEVEL, Verdict
from bench.text.markdown import markdown_page
from bench.text.terminal import terminal_page
from tests.support import records as fake


def one(name: str = "a", rate: float = 100.0, seed: int = 1, case: Any = None, labels: Any = None, **changes: Any) -> Record:
    script = fake.Script(case or fake.train(), rate, trials=10, **changes)
    return fake.record(name, [script], seed=seed, labels=labels or {})


def pair(rate: float, between: float = 0.01, level: str = "0.01") -> tuple[Record, Record]:
    labels = {"check": "c1", "level.0": level}
    base = one("base", 100.0, 1, labels=labels | {"arm": "base"}, between=between)
    return base, one("candidate", rate, 2, labels=labels | {"arm": "candidate"}, between=between)


@pytest.mark.parametrize(
    ("rate", "verdict", "code"),
    [
        (100.0, Verdict.PASS, ExitCode.OK),
        (85.0, Verdict.REGRESSED, ExitCode.REGRESSED),
        (120.0, Verdict.IMPROVED, ExitCode.OK),
    ],
)
def test_pairs_of_a_check_are_judged(rate, verdict, code):
    found = compare([pair(rate)[0]], [pair(rate)[1]])
    (case,) = found.cases
    assert case.verdict is verdict
    assert case.figures is not None
    assert case.figures.method == "pairs"
    assert (case.figures.level, case.figures.pass_level) == (0.01, 0.01)
    assert found.exit_code == code


def test_a_pass_has_an_error_level_of_its_own():
    base, candidate = pair(100.0)
    both = [msgspec.structs.replace(record, labels=record.labels | {"pass-level.0": "0.02"}) for record in (base, candidate)]
    (alike,), (case,) = compare([base], [candidate]).cases, compare(both[:1], both[1:]).cases
    assert case.figures is not None
    assert alike.figures is not None
    assert (case.figures.level, case.figures.pass_level) == (0.01, 0.02)
    assert case.figures.effect.low == alike.figures.effect.low
    assert case.figures.effect.high < alike.figures.effect.high


def test_sessions_of_many_cases_divide_the_level_of_a_regression_alone():
    scripts = [fake.Script(fake.train(batch_size=size), 100.0, trials=3) for size in (16, 32, 64)]
    records = [fake.record(f"a{seed}", scripts, seed=seed, labels={}) for seed in range(8)]
    cases = compare(records[:7], records[7:]).cases
    assert [case.figures and (case.figures.level, case.figures.pass_level) for case in cases] == [
        (ERROR_LEVEL / 3, ERROR_LEVEL)
    ] * 3


def test_an_inconclusive_pair_says_what_it_could_have_seen():
    found = compare(*([record] for record in pair(100.0, between=0.2)))
    assert found.exit_code == ExitCode.INCONCLUSIVE
    (case,) = found.cases
    assert case.verdict is Verdict.INCONCLUSIVE
    assert "% would have been found" in case.reason


def test_one_session_each_gives_an_effect_and_no_verdict_that_decides():
    (case,) = compare([one()], [one("b", 50.0, 2)]).cases
    assert case.verdict is Verdict.INCONCLUSIVE
    assert case.figures is not None
    assert case.figures.method == "trials"
    assert case.figures.effect.change == pytest.approx(1.0, rel=0.1)
    assert "1 session;" in case.reason


def test_few_sessions_give_an_effect_whose_interval_is_over_sessions():
    base, candidate = ([one(f"{name}{seed}", 100.0, seed) for seed in range(2)] for name in "ab")
    (case,) = compare(base, [msgspec.structs.replace(record, seed=9) for record in candidate]).cases
    assert case.verdict is Verdict.INCONCLUSIVE
    assert case.figures is not None
    assert (case.figures.method, case.figures.effect.n) == ("records", 2)


def test_enough_sessions_are_judged_by_how_they_differ():
    base = [one(f"a{seed}", 100.0 + seed % 3, seed) for seed in range(8)]
    (case,) = compare(base, [one("b", 80.0, 99)]).cases
    assert case.verdict is Verdict.REGRESSED
    assert case.figures is not None
    assert case.figures.method == "sessions"
    (same,) = compare(base, [one("b", 101.0, 98)]).cases
    assert same.verdict is Verdict.PASS


def test_across_machines_there_is_an_effect_and_no_verdict():
    there = msgspec.structs.replace(one("b", 60.0, 2), machines={"": fake.machine("b", cpu="AMD EPYC")})
    found = compare([one()], [there])
    (case,) = found.cases
    assert case.verdict is None
    assert case.figures is not None
    assert "across machines" in case.reason
    assert found.exit_code == ExitCode.OK


@pytest.mark.parametrize(
    ("other", "fact"),
    [
        (fake.train(facts=fake.TINY), "size differs (small | tiny)"),
        (fake.train(precision="bf16"), "precision differs (fp32 | bf16)"),
        (fake.train(batch_size=64), "batch size differs (32 | 64)"),
        (fake.infer(), "phase differs (train | infer)"),
        (fake.train("cuda", "cuda:0"), "backend differs (cpu | cuda)"),
    ],
)
def test_records_without_a_common_case_are_refused_with_the_fact_that_differs(other, fact):
    with pytest.raises(NotComparableError) as refused:
        compare([one()], [one("b", case=other)])
    assert fact in str(refused.value)


def test_another_specification_of_the_same_name_is_not_comparable():
    changed = msgspec.structs.replace(fake.SMALL, digest="0" * 64)
    there = msgspec.structs.replace(one("b", 100.0, 2), workloads=[changed])
    (case,) = compare([one()], [there]).cases
    assert case.verdict is Verdict.NOT_COMPARABLE
    assert "workload differs" in case.reason


def test_another_framework_is_compared_only_when_it_is_under_test():
    cpu = msgspec.structs.replace(fake.CPU, versions={"torch": "2.14.0"})
    there = msgspec.structs.replace(one("b", 100.0, 2), devices=[cpu])
    (refused,) = compare([one()], [there]).cases
    assert refused.verdict is Verdict.NOT_COMPARABLE
    assert "torch 2.13.0" in refused.reason
    found = compare([one()], [there], vary=("framework",))
    assert found.cases[0].figures is not None
    assert any("framework" in line for line in found.differences)


def test_another_driver_changes_the_fingerprint_and_is_compared_when_it_is_under_test():
    machine = fake.machine("b", gpus=[{"name": "NVIDIA H200", "driver": "999"}])
    base = [one(f"a{seed}", 100.0, seed) for seed in range(6)]
    there = msgspec.structs.replace(one("b", 100.0, 50), machines={"": machine})
    (case,) = compare(base, [there], vary=("driver",)).cases
    assert case.verdict in {Verdict.PASS, Verdict.INCONCLUSIVE}
    (without,) = compare(base, [there]).cases
    assert without.verdict is None


def test_a_case_on_one_side_only_is_never_a_silent_pass():
    both = fake.record("a", [fake.Script(fake.train(), 100.0), fake.Script(fake.infer(), 300.0)], labels={})
    found = compare([both], [one("b", 100.0, 2)])
    assert [case.verdict for case in found.cases] == [Verdict.INCONCLUSIVE, Verdict.NOT_COMPARABLE]
    assert "not measured in B" in found.cases[1].reason
    assert found.exit_code == ExitCode.NOT_COMPARABLE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"checks": fake.FAILED}, "could not be proven: first losses"),
        ({"checks": ()}, "no check was made"),
        ({"status": "crashed", "reason": "SIGSEGV"}, "crashed: SIGSEGV"),
        ({"trials": 1}, "1 trials on one side"),
        ({"change": {"samples": [float("nan")] * 50}}, "NaN"),
        ({"change": {"samples": [0.0] * 50}}, "every sample must take time"),
    ],
)
def test_trials_that_cannot_be_used_give_no_verdict(change, words):
    script = with_changes(fake.Script(fake.train(), 100.0, trials=10), **change)
    found = compare([one()], [fake.record("b", [script], labels={})])
    assert found.verdict in {Verdict.INCONCLUSIVE, Verdict.NOT_COMPARABLE}
    assert words in found.cases[0].reason


def spoiled(record: Record, numbers: int, **changes: Any) -> Record:
    """The same with the first so many trials changed."""
    trials = [
        fake.changed(trial, **changes) if trial.role == "trial" and trial.number < numbers else trial
        for trial in record.trials
    ]
    return msgspec.structs.replace(record, trials=trials)


def test_an_unproven_trial_on_either_side_is_not_comparable_whatever_else_failed():
    base, candidate = pair(100.0)
    unproven = spoiled(candidate, 3, checks=list(fake.FAILED))
    for one_side in (base, spoiled(base, 1, status="crashed")):
        (case,) = compare([one_side], [unproven]).cases
        assert case.verdict is Verdict.NOT_COMPARABLE
        assert "could not be proven" in case.reason
    crashed_first = spoiled(unproven, 1, status="crashed", checks=[])
    assert compare([base], [crashed_first]).verdict is Verdict.NOT_COMPARABLE


def test_a_candidate_that_crashes_where_the_base_does_not_is_no_pass():
    base, candidate = pair(100.0)
    (case,) = compare([base], [spoiled(candidate, 4, status="crashed", reason="SIGSEGV")]).cases
    assert case.verdict is Verdict.INCONCLUSIVE
    assert "4 of the candidate's trials failed" in case.reason
    assert compare([spoiled(base, 3, status="crashed")], [candidate]).verdict is Verdict.PASS


def test_trials_that_were_still_warming_up_are_no_pass():
    base, candidate = pair(100.0)
    (case,) = compare([spoiled(base, 6, steady="moving")], [candidate]).cases
    assert case.verdict is Verdict.INCONCLUSIVE
    assert "6 of the base's 10 trials still became faster" in case.reason
    assert compare([spoiled(base, 4, steady="moving")], [candidate]).verdict is Verdict.PASS


def test_a_slow_down_in_few_blocks_is_seen_in_the_total_time():
    base, candidate = pair(100.0)
    stalling = [
        fake.changed(trial, samples=[5 * s if n % 10 == 7 else s for n, s in enumerate(samples(trial))])
        for trial in candidate.trials
    ]
    (case,) = compare([base], [msgspec.structs.replace(candidate, trials=stalling)]).cases
    assert case.figures is not None
    assert abs(case.figures.effect.change) < 0.02
    assert case.verdict is Verdict.REGRESSED
    assert "sits in few blocks" in case.reason


def test_a_slow_down_in_few_processes_is_no_pass():
    base, candidate = pair(100.0)
    twice = [
        fake.changed(trial, samples=[2 * s for s in samples(trial)]) if trial.number == 4 else trial
        for trial in candidate.trials
    ]
    (case,) = compare([base], [msgspec.structs.replace(candidate, trials=twice)]).cases
    assert case.figures is not None
    assert case.figures.mean is not None
    assert abs(case.figures.effect.change) < 0.02, "a typical process is as fast"
    assert case.figures.mean.log_ratio == pytest.approx(math.log(2) / 10, abs=0.01), "no pair is left out"
    assert case.verdict is Verdict.INCONCLUSIVE
    assert "sits in few processes: all of them together took +" in case.reason


def test_single_stream_queries_are_paired_by_turns():
    labels = {"check": "c1", "level.0": "0.01"}
    script = fake.Script(fake.single_stream(), 100.0, trials=10, samples=600, warmup=45, between=0.002)
    base = fake.record("base", [script], labels=labels)
    slow = fake.record("candidate", [with_changes(script, rate=80.0)], seed=3, labels=labels)
    (case,) = compare([base], [slow]).cases
    assert case.figures is not None
    assert case.figures.effect.change == pytest.approx(0.25, abs=0.02)
    for trial in base.trials:
        if trial.role == "trial":
            found = turns(fake.single_stream(), trial)
            assert len(found) in {12, 13, 14}  # of some 40 queries each, but for those with warm-up
            assert all(0.008 < seconds < 0.012 for seconds in found)
    short = fake.changed(base.trials[1], samples=[0.01] * 10, warmup=2)
    assert turns(fake.single_stream(), short) == [pytest.approx(0.01)]


def test_what_was_asked_for_and_skipped_fails_a_gate_and_only_a_gate():
    base, candidate = pair(100.0)
    skips = [*candidate.skips, Skip(what="cpu bf16", reason="the device has fp32, not bf16")]
    found = compare([base], [msgspec.structs.replace(candidate, skips=skips)])
    assert found.verdict is Verdict.PASS
    assert found.gated().verdict is Verdict.NOT_COMPARABLE
    assert "not bf16" in found.gated().cases[-1].reason
    assert compare([base], [candidate]).gated().verdict is Verdict.PASS


def test_a_gate_takes_a_case_without_a_verdict_for_not_comparable():
    there = msgspec.structs.replace(one("b", 60.0, 2), machines={"": fake.machine("b")})
    (case,) = compare([one()], [there]).gated().cases
    assert case.verdict is Verdict.NOT_COMPARABLE
    assert "their fingerprints differ" in case.reason


def test_a_driver_under_test_must_run_on_the_same_hardware():
    base = [
        msgspec.structs.replace(one(f"a{seed}", 100.0, seed), machines={"": fake.machine("a", facts={"hardware": "h1"})})
        for seed in range(6)
    ]
    gpus = [{"name": "NVIDIA H200", "driver": "999"}]
    for hardware, judged in (("h1", True), ("h2", False)):
        machine = fake.machine("b", gpus=gpus, facts={"hardware": hardware})
        there = msgspec.structs.replace(one("b", 100.0, 50), machines={"": machine})
        (case,) = compare(base, [there], vary=("driver",)).cases
        assert (case.verdict is not None) == judged


def test_several_facts_may_be_under_test_at_once():
    cpu = msgspec.structs.replace(fake.CPU, versions={"torch": "2.14.0"})
    there = msgspec.structs.replace(one("b", 100.0, 2), devices=[cpu])
    (case,) = compare([one()], [there], vary=("device", "framework")).cases
    assert case.verdict is not Verdict.NOT_COMPARABLE


def test_unequal_numbers_of_trials_pair_as_far_as_they_go():
    base, candidate = pair(100.0)
    shorter = msgspec.structs.replace(candidate, trials=[t for t in candidate.trials if t.number < 7])
    (case,) = compare([base], [shorter]).cases
    assert case.figures is not None
    assert case.figures.effect.n == 7


def test_records_that_do_not_belong_together_are_refused():
    cpu = msgspec.structs.replace(fake.CPU, versions={"torch": "1.0"})
    with pytest.raises(NotComparableError, match="do not belong together"):
        compare([one(), msgspec.structs.replace(one("b"), devices=[cpu])], [one("c")])


def test_the_stage_that_moved_is_named():
    slow = fake.Script(fake.train(), 100.0, trials=10, cold=60.0, change={"host_memory": 2_600_000_000})
    (case,) = compare([one()], [fake.record("b", [slow], seed=2, labels={})]).cases
    moved = {stage.name for stage in case.stages if stage.moved}
    assert moved == {"host memory"}


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1.048, "+4.8 %"),
        (0.5, "-50.0 %"),
        (9.9, "+890.0 %"),
        (10.2, "10 times"),
        (44.0, "44 times"),
        (4321.0, "4,320 times"),
    ],
)
def test_a_change_of_many_times_is_no_percentage(ratio, words):
    assert percent(math.log(ratio)) == words


def test_the_gravest_verdict_counts():
    assert gravest([Verdict.PASS, Verdict.REGRESSED, Verdict.NOT_COMPARABLE]) is Verdict.REGRESSED
    assert gravest([Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.NOT_COMPARABLE]) is Verdict.NOT_COMPARABLE
    assert gravest([Verdict.PASS, Verdict.IMPROVED]) is Verdict.PASS
    assert gravest([]) is None


def test_every_format_says_the_verdict():
    from junitparser import Failure, JUnitXml

    found = compare([pair(85.0)[0]], [pair(85.0)[1]])
    for page in (terminal_page(sections(found, "Check"), 120), markdown_page(sections(found, "Check"))):
        assert "regressed" in page
        assert "+17." in page or "+18." in page
        assert re.search(r"\b(99\.\d|100) → 8[45]\.\d images/s", page)
    data = msgspec.json.decode(as_json(found))
    assert data["verdict"] == "regressed"
    assert data["exit_code"] == 5
    absolute = data["cases"][0]["absolute"]
    assert absolute == {"base": pytest.approx(100, rel=0.02), "candidate": pytest.approx(85, rel=0.02), "unit": "images/s"}
    xml = JUnitXml.fromstring(as_junit(found, "bench check").encode())
    (suite,) = list(xml)
    (case,) = list(suite)
    assert isinstance(case.result[0], Failure)
    assert suite.failures == 1
    assert re.search(r"; (99\.\d|100) → 8[45]\.\d images/s", case.result[0].message)


def test_absolute_figures_have_the_unit_of_their_scenario():
    found = compare([on("a", 2, (20.0, 40.0, 75.0))], [on("b", 8, (30.0, 240.0, 300.0))])
    units = [case.absolute and case.absolute.unit for case in found.cases]
    assert units == ["MP/s", "MP/s", "images/s"]
    assert [case.absolute.candidate for case in found.cases if case.absolute] == pytest.approx([30, 240, 300], rel=0.05)


def on(name, cores, rates, python="3.11.7"):
    """A record of a machine with so many cores: decoding on one and on all, training on all."""
    machine = fake.machine(name, cores=cores, facts={"python": python})
    cases = [
        fake.preprocess(1),
        fake.preprocess(cores),
        fake.train(cores=cores, environment={"OMP_NUM_THREADS": str(cores)}),
    ]
    return fake.record(name, [fake.Script(case, rate) for case, rate in zip(cases, rates, strict=True)], on=machine)


def test_across_machines_a_case_on_all_cores_is_held_against_one_on_all_cores():
    found = compare([on("a", 2, (20.0, 40.0, 75.0))], [on("b", 8, (30.0, 240.0, 300.0), python="3.13.1")])
    assert [case.verdict for case in found.cases] == [None, None, None]
    ratios = [math.exp(case.figures.effect.log_ratio) for case in found.cases]
    assert ratios == pytest.approx([20 / 30, 40 / 240, 75 / 300], rel=0.05)
    training = found.cases[-1]
    assert "no verdict across machines" in training.reason
    assert "python 3.13.1" in training.reason
    assert "OMP_NUM_THREADS=2 | OMP_NUM_THREADS=8" in training.reason
    assert found.exit_code == ExitCode.OK


def test_on_one_machine_other_numbers_of_threads_are_other_cases():
    with pytest.raises(NotComparableError, match="threads differs"):
        compare([one(case=fake.train(cores=1))], [one("b", case=fake.train(cores=2))])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"devices": [msgspec.structs.replace(fake.CPU, versions={"torch": "2.14.0"})]}, "framework differs"),
        ({"cases": [fake.train(environment={"MALLOC_TOP_PAD_": "1"})]}, "settings differs"),
        ({"cases": [fake.train(precision="bf16")]}, r"precision differs \(fp32 \| bf16\)"),
    ],
)
def test_what_could_not_be_judged_is_refused_before_it_is_measured(change, words):
    future = msgspec.structs.replace(one("b"), trials=[], workloads=[])
    refuse_unjudgeable([one()], future, ())
    with pytest.raises(NotComparableError, match=words):
        refuse_unjudgeable([one()], msgspec.structs.replace(future, **change), ())
    if words.startswith("framework"):
        refuse_unjudgeable([one()], msgspec.structs.replace(future, **change), ("framework",))
