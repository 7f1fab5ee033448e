"""Energy in reports: measured figures with their counters, and a plain word where nothing was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from bench.analysis.build import build
from bench.projection.assumptions import Assumptions
from bench.record.schema import Energy, Record
from bench.report.cells import energy
from bench.report.formats import render
from tests.support import records as fake

HOST = {
    "package-0": Energy(joules=400.0, seconds=4.0, idle_watts=30.0),
    "dram-0": Energy(joules=40.0, seconds=4.0, idle_watts=5.0),
}
BOTH = {**HOST, "gpu:0": Energy(joules=2000.0, seconds=4.0, idle_watts=75.0)}


def counted(found: dict[str, Energy] = BOTH) -> Record:
    return fake.record(wanted=[replace(script, change={"energy": found}) for script in fake.scripts()])


def named(backend: str, phase: str, record: Record):
    report = build([record])
    return next(case for case in report.measured if (case.key.backend, case.key.phase) == (backend, phase))


def test_a_gpu_is_counted_by_its_own_counter_and_a_host_by_all_of_its():
    for backend, watts, idle, counters in (("cuda", 500.0, 75.0, ("gpu:0",)), ("cpu", 110.0, 35.0, ("dram-0", "package-0"))):
        power = named(backend, "train", counted()).power
        assert power is not None
        assert (power.draw.rate, power.draw.n) == (pytest.approx(watts), 5)
        assert (power.idle_watts, power.counters) == (idle, counters)
    assert named("cuda", "train", counted(HOST)).power is None


def scattered(record: Record) -> Record:
    """Trials that draw more and more."""
    trials = [
        fake.changed(trial, energy={"package-0": Energy(joules=100.0 * (1 + trial.number), seconds=4.0)})
        for trial in record.trials
    ]
    return structs.replace(record, trials=trials)


def test_the_draws_scatter_is_in_the_interval():
    row = build([scattered(fake.record())]).groups[0].rows[0]
    found, training = row.best.projection.energy, row.best.projection.training
    assert found is not None
    assert found.low is not None
    assert found.low / found.value < 0.7 < 0.99 < training.low / training.value


def test_only_trials_that_the_rate_is_of_count():
    record = scattered(fake.record())
    trials = [structs.replace(trial, checks=[] if trial.number > 2 else trial.checks) for trial in record.trials]
    power = named("cpu", "train", structs.replace(record, trials=trials)).power
    assert power is not None
    assert power.draw.n == 3


def test_preprocessing_is_counted_by_the_megapixel():
    page = render(build([counted()]), "markdown")
    (row,) = [line for line in page.splitlines() if "| preprocess" in line and "110 W" in line.replace("\u00a0", " ")][:1]
    assert "a megapixel" in row


@pytest.mark.parametrize("joules", [0.0, float("nan"), float("inf"), -1.0])
def test_a_broken_counter_is_no_counter(joules):
    assert named("cpu", "train", counted({"package-0": Energy(joules=joules, seconds=4.0)})).power is None


def test_a_training_takes_its_draw_times_its_time_of_every_device():
    row = build([counted()]).groups[0].rows[0]
    projection = row.best.projection
    assert projection.energy is not None
    assert projection.energy.value == pytest.approx(110 * projection.training.value)
    several = build([counted()], Assumptions(devices=4, efficiency=0.5)).groups[0].rows[0].best.projection
    assert several.energy is not None
    assert several.energy.value == pytest.approx(4 * 110 * several.training.value)


def test_the_report_gives_figures_and_their_counters():
    page = render(build([counted()]), "markdown")
    assert "### Energy: measured" in page
    assert "500 W" in page
    assert "75.0 W" in page
    assert "Counters: dram-0, gpu:0, package-0." in page
    assert "### Energy of one training, projected: melanoma small" in page
    rate = named("cuda", "infer", counted()).log
    assert rate is not None
    assert energy(500 / rate.rate * 1e6).replace(" ", "") in page.replace("\u00a0", "").replace(" ", "")


def test_what_was_not_measured_is_not_estimated():
    page = render(build([fake.record()]), "markdown")
    assert "Not measured: no machine let its energy counters be read" in page
    assert "Energy: measured" not in page


@pytest.mark.parametrize(
    ("joules", "text"), [(18.0, "18.0 J"), (3600.0, "1.00 Wh"), (7.2e6, "2.00 kWh"), (3.6e9, "1.00 MWh")]
)
def test_energies_as_people_say_them(joules, text):
    assert energy(joules) == text
