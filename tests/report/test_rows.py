"""Devices side by side: settings, reference and speed-ups."""

from dataclasses import replace

import msgspec
import pytest

from bench.analysis.build import build
from bench.datasets import DATASETS
from bench.errors import UsageError
from bench.projection.assumptions import Assumptions
from bench.projection.counted import Batches
from bench.report.document import assumption_lines
from bench.report.notes import row_notes
from tests.support import records as fake


def rows(records, assumptions=None):
    report = build(records, assumptions)
    return [(row.best.train.key.devices[0], row) for group in report.groups for row in group.rows]


def named(records, device, assumptions=None):
    return next(row for name, row in rows(records, assumptions) if name == device)


def without(*phases_or_backends):
    return [
        script
        for script in fake.scripts()
        if script.case.backend not in phases_or_backends and script.case.phase not in phases_or_backends
    ]


def test_the_reference_comes_first_then_slow_to_fast():
    found = rows([fake.record()])
    assert [device for device, _ in found] == ["cpu", "cuda:0"]
    assert [row.reference for _, row in found] == [True, False]


def test_best_takes_each_devices_fastest_setting_and_same_the_common_one():
    gpu = named([fake.record()], "cuda:0")
    assert (gpu.best.train.key.precision, gpu.best.train.key.batch_size) == ("bf16", 256)
    assert (gpu.same.train.key.precision, gpu.same.train.key.batch_size) == ("fp32", 32)
    assert gpu.same.same.reference.key.precision == "fp32"
    assert gpu.best.best.reference.key.precision == "bf16"


def test_speed_ups_are_ratios_of_projected_trainings():
    report = build([fake.record()])
    cpu, gpu = report.groups[0].rows
    expected = cpu.best.projection.training.value / gpu.best.projection.training.value
    assert gpu.best.best.factor.value == pytest.approx(expected)


def test_without_a_setting_in_common_there_is_no_same():
    scripts = [script for script in fake.scripts() if script.case.devices != ("cuda:0",) or script.case.batch_size == 256]
    assert named([fake.record(wanted=scripts)], "cuda:0").same is None


def test_evaluation_takes_offline_inference_of_the_same_precision():
    gpu = named([fake.record()], "cuda:0")
    assert gpu.best.infer.key.precision == "bf16"
    assert gpu.same.infer.key.precision == "fp32"
    assert gpu.best.infer.key.scenario == "offline"


def test_decoding_takes_the_most_cores_that_were_measured():
    assert named([fake.record()], "cuda:0").best.decode.key.cores == 2


def test_a_host_on_one_core_decodes_on_one_core():
    scripts = [*without("cuda", "train"), fake.Script(fake.train(cores=1), 40.0)]
    assert named([fake.record(wanted=scripts)], "cpu").best.decode.key.cores == 1


def test_real_files_are_preferred_to_synthetic_ones():
    real = msgspec.structs.replace(fake.SYNTHETIC, fingerprint="real", synthetic=False)
    decode = [fake.Script(fake.preprocess(1), 9.0, cold=None)]
    records = [fake.record(), fake.record("r1", decode, data=[real])]
    assert named(records, "cuda:0").best.decode.key.data == "real"


def test_decoding_of_another_machine_is_never_taken():
    records = [fake.record(wanted=without("preprocess")), fake.record("r1", without("train"), on=fake.machine("b"))]
    assert named(records, "cuda:0").best.decode is None


def test_unproven_and_impossible_rates_are_in_no_row():
    scripts = [
        replace(script, checks=()) if script.case.backend == "cuda" else script
        for script in fake.scripts()
        if script.case.precision != "bf16"
    ]
    assert [device for device, _ in rows([fake.record(wanted=scripts)])] == ["cpu"]
    scripts = [replace(script, rate=1e9) if script.case.backend == "cpu" else script for script in fake.scripts()]
    assert [device for device, _ in rows([fake.record(wanted=scripts)])] == ["cuda:0"]


def test_an_unproven_host_is_no_reference():
    scripts = [replace(script, checks=()) if script.case.backend == "cpu" else script for script in fake.scripts()]
    report = build([fake.record(wanted=scripts)])
    assert report.groups[0].reference is None
    assert report.groups[0].rows[0].best.best is None


def test_sizes_never_meet():
    tiny = [
        fake.Script(fake.train("cuda", "cuda:0", fake.TINY), 90_000.0),
        fake.Script(fake.infer("cuda", "cuda:0", fake.TINY), 300_000.0),
    ]
    report = build([fake.record(wanted=[*without("cuda"), *tiny])])
    assert [(group.size, len(group.rows)) for group in report.groups] == [("small", 1), ("tiny", 1)]
    assert report.groups[1].reference is None


def test_equal_names_with_different_digests_never_meet():
    other = [msgspec.structs.replace(fake.SMALL, digest="other")]
    report = build([fake.record(), fake.record("r1", without("cpu"), workloads=other)])
    assert [group.digest[:5] for group in report.groups] == [fake.SMALL.digest[:5], "other"]


def test_the_reference_is_the_fastest_host_of_all_machines():
    strong = fake.machine("b", cpu="AMD EPYC 9654 96-Core Processor", cores=64, cores_online=192)
    big = [fake.Script(fake.train(cores=64), 900.0), fake.Script(fake.infer(cores=64), 3_000.0)]
    report = build([fake.record(), fake.record("r1", big, on=strong, ceilings=[])])
    assert report.groups[0].reference.machine.fingerprint == strong.fingerprint


def test_an_x86_host_is_preferred_as_reference_even_to_a_faster_arm():
    arm = fake.machine("b", architecture="aarch64")
    report = build([fake.record(), fake.record("r1", [fake.Script(fake.train(), 100.0)], on=arm)])
    assert report.groups[0].reference.machine.architecture == "x86_64"
    report = build([fake.record("r1", [fake.Script(fake.train(), 100.0)], on=arm)])
    assert report.groups[0].reference.machine.architecture == "aarch64"


@pytest.mark.parametrize("reference", ["cuda", "cuda:0", "cuda:cuda:0"])
def test_the_reference_can_be_chosen(reference):
    cpu = named([fake.record()], "cpu", Assumptions(reference=reference))
    assert not cpu.reference
    assert cpu.best.best.factor.value < 1


def test_an_unknown_reference_lists_what_there_is():
    with pytest.raises(UsageError, match="reference 'tpu'; there is: cpu, cuda:0"):
        build([fake.record()], Assumptions(reference="tpu"))


def test_epochs_come_from_the_workload_unless_given():
    assert build([fake.record()]).groups[0].epochs == 24
    assert build([fake.record()], Assumptions(epochs=3)).groups[0].epochs == 3


def test_a_device_the_record_does_not_describe_is_measured_but_not_projected():
    report = build([fake.record(devices=[fake.CPU])])
    assert [row.best.train.key.backend for row in report.groups[0].rows] == ["cpu"]
    assert any(case.key.backend == "cuda" for case in report.measured)


def test_the_same_record_projects_to_any_data_set():
    times = [
        named([fake.record()], "cpu", Assumptions(dataset=dataset)).best.projection.training.value
        for dataset in (DATASETS["ham10000"], DATASETS["isic2020"], DATASETS["archive"])
    ]
    assert times == sorted(times)


def test_selection_by_workload_and_size():
    tiny = [fake.Script(fake.train(facts=fake.TINY), 900.0)]
    record = fake.record(wanted=[*fake.scripts(), *tiny])
    assert {case.key.size for case in build([record], Assumptions(size="tiny")).measured} == {"tiny"}
    with pytest.raises(UsageError, match="no 'huge'; there is: melanoma small, melanoma tiny"):
        build([record], Assumptions(size="huge"))


def of_views(views):
    return [msgspec.structs.replace(fake.SMALL, views=views), fake.TINY]


@pytest.mark.parametrize(
    ("views", "counted", "known"), [([8], 8, True), ([0], 4, False), ([0, 8], 8, True), ([8, 0], 8, True)]
)
def test_views_are_the_workloads_and_the_usual_number_where_no_record_says(views, counted, known):
    records = [fake.record(f"r{place}", workloads=of_views(one), seed=place) for place, one in enumerate(views)]
    report = build(records)
    (group,) = report.groups
    assert (group.views, group.views_known) == (counted, known)
    assert {setting.measured.batches.views for row in group.rows for setting in row.settings} == {counted}
    said = next(line for line in assumption_lines(report) if line.startswith("Views"))
    assert f"melanoma small {counted}." in said
    assert ("the usual number is assumed" in said) == (not known)


def test_batches_are_the_settings_own_and_an_evaluations_those_of_its_device():
    cpu, gpu = (named([fake.record()], device).best.measured for device in ("cpu", "cuda:0"))
    assert (cpu.batches, gpu.batches) == (Batches(32, 64, 4), Batches(256, 256, 4))
    assert cpu.augment == pytest.approx(fake.AUGMENT)


def test_a_record_that_does_not_say_what_augmentation_costs_is_named():
    old = {"stages": {"import": 2.0, "build": 0.3, "first_step": 0.2, "steady": 9.0}}
    wanted = [replace(script, change=old if script.case.backend == "cuda" else {}) for script in fake.scripts()]
    (group,) = build([fake.record(wanted=wanted)]).groups
    notes = [note for note in row_notes(group, Assumptions()) if "change images at random" in note]
    assert len(notes) == 1
    assert notes[0].startswith("NVIDIA H200 (cuda:0): its record does not say")
    assert named([fake.record(wanted=wanted)], "cuda:0").best.best.left_out == ("augmentation",)
