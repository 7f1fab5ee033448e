"""Forecasts: what is predicted is then done, and both are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.record.figures import samples
from bench.record.files import read_record
from bench.record.forecasts import account
from bench.record.schema import Forecast
from tests.support.site import bench

RUN = ["forecast-check", "--workload", "dots", "--size", "small", "--backend", "misbehaving", "--precision", "float64"]
SHORT = ["--images", "400", "--trials", "2", "--seconds", "0.2", "--quiet"]


def test_each_forecast_has_trials_and_a_training_of_its_own(tmp_path: Path, site: Path):
    done = bench([*RUN, *SHORT, "--forecasts", "2", "--epochs", "3", "-o", "results"], tmp_path, site)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    found = [
        re.match(r"test:0 float64, 3 epochs: predicted .* \(.* to .*\), took .*, error [+-]", line) for line in lines[:2]
    ]
    assert all(found)
    assert re.match(r"test:0 float64: median error .* %, worst .* %, the 95 % interval covered [012] of 2", lines[2])
    records = [read_record(folder) for folder in sorted((tmp_path / "results").iterdir())]
    assert len(records) == 2
    for record in records:
        assert {(case.phase, case.scenario, case.batch_size) for case in record.cases} == {
            ("train", "", 16), ("infer", "offline", 64),
        }  # fmt: skip
        (forecast,) = record.forecasts
        assert record.cases[forecast.case].phase == "train"
        assert forecast.epochs == 3
        assert min(forecast.predicted, forecast.measured) > 0
        assert forecast.low is not None
    trials = [[samples(trial) for trial in record.trials if trial.role == "trial"] for record in records]
    assert trials[0] != trials[1]


def test_a_training_that_fails_ends_the_check(tmp_path: Path, site: Path):
    done = bench([*RUN, *SHORT, "--forecasts", "1", "--option", "fault=raise"], tmp_path, site)
    assert done.returncode == 4
    assert "misbehaving test:0 dots-small train float64 batch 16 fault=raise cannot be measured" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_single_trial_has_no_interval_to_be_held_to(tmp_path: Path, site: Path):
    done = bench([*RUN, "--trials", "1"], tmp_path, site)
    assert done.returncode == 2
    assert "--trials 1 gives no interval" in done.stderr


def of(predicted: float, measured: float, low: float | None = None, high: float | None = None) -> Forecast:
    return Forecast(case=0, epochs=3, predicted=predicted, low=low, high=high, measured=measured)


def test_errors_are_judged_by_their_size():
    told = account([of(11.0, 10.0, 9.5, 12.5), of(9.8, 10.0, 9.7, 9.9), of(10.0, 10.0)])
    assert (told.count, told.covered) == (3, 1)
    assert told.median_error == pytest.approx(0.02)
    assert told.worst_error == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("held", "count", "promised"),
    [(20, 20, True), (17, 20, True), (16, 20, False), (5, 5, True), (3, 5, False), (4, 4, None), (0, 4, None)],
)
def test_intervals_that_miss_too_often_are_said_to(held: int, count: int, promised: bool | None):
    """Of 20 intervals of 95 %, 17 or more hold in 98 % of sets, 16 or fewer in 1.6 %."""
    found = [of(10.0, 10.0, 9.0, 11.0)] * held + [of(10.0, 10.0, 10.5, 11.0)] * (count - held)
    assert account(found).as_promised is promised
