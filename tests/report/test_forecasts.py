"""Forecasts in reports: errors by case, their picture, and a plain answer to whether they hold."""

from __future__ import annotations

import json
import math

import msgspec
import pytest

from bench.analysis.build import build
from bench.errors import RecordError
from bench.record.schema import Forecast, Record
from bench.report.charts.pictures import charts
from bench.report.formats import render
from tests.support import records as fake


def foretold(*forecasts: Forecast, name: str = "r0") -> Record:
    return msgspec.structs.replace(fake.record(name), forecasts=list(forecasts))


def place(backend: str) -> int:
    return next(index for index, case in enumerate(fake.record().cases) if (case.backend, case.phase) == (backend, "train"))


CLOSE = Forecast(case=place("cpu"), epochs=5, predicted=102.0, low=95.0, high=110.0, measured=100.0)
WIDE_OFF = Forecast(case=place("cpu"), epochs=5, predicted=130.0, low=125.0, high=135.0, measured=100.0)


def test_errors_stand_beside_their_case():
    markdown = render(build([foretold(CLOSE, WIDE_OFF), foretold(CLOSE, name="r1")]), "markdown")
    (row,) = [line for line in markdown.splitlines() if "2.0 %" in line and "30.0 %" in line]
    assert [cell.strip() for cell in row.strip("|").split("|")][3:] == ["3", "2.0 %", "30.0 %", "2"]


def test_forecasts_of_several_cases_are_summed():
    page = render(build([foretold(CLOSE, msgspec.structs.replace(WIDE_OFF, case=place("cuda")))]), "markdown")
    assert any(line.startswith("| all ") and "16.0 %" in line for line in page.splitlines())


def test_json_has_every_forecast():
    found = json.loads(render(build([foretold(WIDE_OFF)]), "json"))["forecasts"]
    assert [(one["backend"], one["predicted"], one["measured"], one["covered"]) for one in found] == [
        ("cpu", 130.0, 100.0, False)
    ]
    assert found[0]["error"] == pytest.approx(0.3)


def test_the_picture_says_which_interval_did_not_hold():
    (chart,) = [chart for chart in charts(build([foretold(CLOSE, WIDE_OFF)])) if chart.name == "forecasts"]
    assert "+30.0 %, outside the interval" in chart.alt
    assert len(chart.table.rows) == 2
    assert chart.part == "belief"


@pytest.mark.parametrize(
    ("forecasts", "kind", "words"),
    [
        ([], "untried", "these records hold none"),
        ([CLOSE] * 20, "good", "20 inside the 95 % interval"),
        ([CLOSE] * 15 + [WIDE_OFF] * 5, "bad", "off by 2.0 % in the median and 30.0 % at worst"),
    ],
)
def test_the_page_answers_whether_they_hold(forecasts, kind, words):
    page = render(build([foretold(*forecasts)]), "html")
    answer = next(part for part in page.split('<div class="') if "Do its forecasts hold?" in part)
    assert answer.startswith(kind)
    assert words in answer


@pytest.mark.parametrize("broken", [math.nan, math.inf, 0.0, -1.0])
@pytest.mark.parametrize("name", ["predicted", "measured", "low", "high"])
def test_impossible_times_are_no_forecast(name, broken):
    report = build([foretold(msgspec.structs.replace(CLOSE, **{name: broken}))])
    assert report.forecasts == ()
    render(report, "html")


@pytest.mark.parametrize("case", [-1, 99])
def test_a_forecast_of_no_case_is_a_broken_record(case):
    with pytest.raises(RecordError, match=f"forecast of case {case}"):
        build([foretold(msgspec.structs.replace(CLOSE, case=case))])
