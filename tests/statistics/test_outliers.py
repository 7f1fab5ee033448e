"""Outliers among alike nodes: as seldom by chance as promised, and found where they are."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analysis.build import build
from bench.errors import UsageError
from bench.report.formats import render
from bench.statistics.outliers import LEVEL, outliers
from tests.support import records as fake


@pytest.mark.parametrize("count", [6, 12, 40])
def test_chance_alone_names_one_in_about_as_many_tables_as_the_level_says(count):
    rng = np.random.default_rng(count)
    named = sum(bool(outliers(rng.normal(0, 0.01, count))) for _ in range(2000)) / 2000
    assert named <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / 2000)


def test_two_slow_nodes_do_not_hide_each_other():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 0.01, 40)
    values[[7, 23]] += 0.1
    assert outliers(values) == [7, 23]


def test_rosners_own_example():
    """The 54 values of Rosner (1983), table 4, as NIST's handbook (1.3.5.17.3) repeats them: three outliers at 5 %."""
    values = [
        -0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56, 1.58, 1.65, 1.69, 1.70, 1.76, 1.77, 1.81,
        1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.10, 2.14, 2.15, 2.23, 2.24, 2.26, 2.35, 2.37, 2.40, 2.47, 2.54, 2.62, 2.64, 2.90, 2.92,
        2.92, 2.93, 3.21, 3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42, 6.01,
    ]  # fmt: skip
    assert outliers(values) == [51, 52, 53]


@pytest.mark.parametrize("values", [[], [1.0] * 5, [1.0] * 40, [0.0, 0.0, 0.0, 0.0, 0.0, np.nan]])
def test_where_there_is_nothing_to_tell(values):
    assert outliers(values) == []


def test_forty_nodes_in_one_table_with_the_slow_one_marked():
    records = []
    for number in range(40):
        rate = 75.0 * (0.8 if number == 17 else 1.0)
        wanted = [fake.Script(fake.train(), rate)]
        records.append(
            fake.record(
                f"r{number}", wanted, on=fake.machine(f"{number:03d}"), seed=number, labels={"node": f"n{number:02d}"}
            )
        )
    page = render(build(records, group_by="node"), "markdown")
    marked = [line for line in page.splitlines() if "slower than the others" in line]
    assert len(marked) == 1
    assert "| n17" in marked[0]
    assert "Rosner 1983" in page
    assert '<li><a href="#nodes">' in render(build(records, group_by="node"), "html")
    with pytest.raises(UsageError, match=r"no record has the label 'rack'; there is: node"):
        build(records, group_by="rack")
