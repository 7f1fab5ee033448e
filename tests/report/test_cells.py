"""Figures and their intervals as people read them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis.build import build
from bench.durations import duration, says_nothing
from bench.projection.model import Members
from bench.report import cells
from bench.report.formats import render
from bench.statistics.rates import Estimate
from tests.support import records as fake


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(3.1e-3), "3.1 ms"),
        (Estimate(3.1e-3, 3.0e-3, 3.2e-3), "3.1 ms ± 4 %"),
        (Estimate(3.1e-3, 1.0e-3, 9.0e-3), "3.1 ms (1.0 ms to 9.0 ms)"),
        (Estimate(3.1e-3, 0.71e-6, 14.0), "3.1 ms (interval too wide)"),
    ],
)
def test_an_interval_that_says_nothing_is_not_printed(estimate, text):
    assert plain(cells.estimated(estimate, duration)) == text


@pytest.mark.parametrize(
    ("low", "high", "nothing"), [(1, 99, False), (1, 101, True), (-1, 1, True), (0, 1, True), (0, 0, False)]
)
def test_what_says_nothing(low, high, nothing):
    assert says_nothing(low, high) is nothing


def test_what_says_nothing_is_not_drawn_either():
    assert cells.ends(Estimate(1.0, 1e-3, 1e3)) == (None, None)
    assert cells.ends(Estimate(1.0, 0.5, 2.0)) == (0.5, 2.0)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(1207.9, 1100.2, 1330.0), "1,207 (1,100 to 1,330)"),
        (Estimate(12.4, 12.1, 12.9), "12"),
        (Estimate(0.42, 0.3, 1.2), "0.42 (0.30 to 1)"),
        (Estimate(5.0), "5"),
        (Estimate(50.0, 1.0, 5000.0), "50 (interval too wide)"),
    ],
)
def test_trainings_in_a_week_have_their_interval(estimate, text):
    assert cells.per_week(estimate) == text


def test_members_of_an_ensemble_have_their_interval():
    assert cells.members(Members(8, 7, 9)) == "8 (7 to 9)"
    assert cells.members(Members(3, 0, 5)) == "3 (0 to 5)"
    assert cells.members(Members(3, 0, 500)) == "3 (interval too wide)"


def test_latencies_of_processes_that_have_nothing_in_common_get_no_interval():
    script = fake.Script(fake.single_stream(), 130.0, trials=3, samples=500, warmup=10, between=3.0)
    page = plain(render(build([fake.record(wanted=[script])]), "terminal").replace("\n", " "))
    assert "too" in page
    assert "wide" in page


def test_a_week_in_the_report_has_an_interval():
    scripts = [replace(script, between=0.05) for script in fake.scripts()]
    assert "to" in build_row(scripts)[5]


def build_row(scripts: list[fake.Script]) -> tuple[str, ...]:
    from bench.report.headline import headline

    report = build([fake.record(wanted=scripts)])
    table = headline(report.groups[0], report).table
    assert table is not None
    return table.rows[0]
