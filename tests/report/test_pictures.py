"""Pictures of a report as files: every chart draws, whatever the records say."""

from __future__ import annotations

import re
import struct

import pytest

from bench.analysis.build import build
from bench.cli import main
from bench.errors import UsageError
from bench.record.files import NAME, write_record
from bench.report.charts.chart import DARK, LIGHT
from bench.report.charts.pictures import charts, find_chart, picture
from tests.report.test_page import hostile, two_machines, with_trainings_to_quality
from tests.support import records as fake

SOURCES = {"plain": two_machines, "rich": lambda: [with_trainings_to_quality()], "hostile": lambda: [hostile()]}


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["report", *map(str, arguments)])
    return int(left.value.code or 0)


@pytest.fixture
def folder(tmp_path):
    for record in two_machines():
        (tmp_path / record.id).mkdir()
        write_record(record, tmp_path / record.id / NAME)
    return tmp_path


@pytest.mark.parametrize("source", SOURCES)
def test_every_chart_can_be_drawn(source):
    found = charts(build(SOURCES[source]()))
    assert len({chart.name for chart in found}) == len(found) > 8
    for chart in found:
        svg = picture(chart, "svg").decode()
        assert "undefined" not in svg
        assert "NaN" not in svg
        assert "<script" not in svg
        assert "var(--" not in svg
        assert chart.alt
        assert chart.table.rows


def test_a_rich_record_has_every_kind_of_picture():
    names = {re.sub(r"-\d+$", "", chart.name) for chart in charts(build([with_trainings_to_quality()]))}
    assert names == {
        "headline", "pipeline", "training", "batches", "pays-off", "ceilings", "quality", "latency", "throughput", "spread", "warm-up",
    }  # fmt: skip


def test_very_many_trials_are_drawn_as_so_many_quantiles():
    records = [fake.record(f"r{number}", seed=number) for number in range(150)]
    (chart,) = [chart for chart in charts(build(records)) if chart.name == "spread"]
    points = [row["change"] for row in chart.spec["data"]["values"] if row["id"] == "0000"]
    assert len(points) == 200
    low, high = (float(end.split()[0]) for end in chart.table.rows[0][2].split(" to "))
    assert (min(points), max(points)) == (pytest.approx(low, abs=0.06), pytest.approx(high, abs=0.06))
    assert int(chart.table.rows[0][1]) > 200


def test_png_and_svg_from_the_command_line(folder, tmp_path, capsys):
    assert run(folder, "-o", tmp_path / "a.png") == 0
    png = (tmp_path / "a.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    assert width > 1000 < height * 4
    assert run(folder, "--chart", "latency", "-o", tmp_path / "b.svg") == 0
    assert "Latency of one image" in (tmp_path / "b.svg").read_text()
    assert run(folder, "--chart", "list") == 0
    assert "headline: One training of melanoma small" in capsys.readouterr().out


def test_an_unknown_chart_lists_those_there_are(folder, tmp_path, capsys):
    assert run(folder, "--chart", "pie", "-o", tmp_path / "a.png") == 2
    assert "headline, pipeline, training" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()


def test_markdown_with_pictures_beside_it(folder, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    assert run(folder, "--pictures", "-o", out / "report.md") == 0
    page = (out / "report.md").read_text()
    shown = re.findall(r"^!\[.*\]\(<([^>]+)>\)$", page, flags=re.MULTILINE)
    assert {file.name for file in out.iterdir()} == {"report.md", *shown}
    assert page.startswith("![One training of melanoma small")
    assert run(folder, "--pictures") == 2
    assert "--pictures goes with" in capsys.readouterr().err


def test_two_networks_have_two_headlines():
    report = build([*two_machines(), with_trainings_to_quality()])
    assert find_chart(report, "headline").name.startswith("headline")
    with pytest.raises(UsageError, match="no chart 'nothing'"):
        find_chart(report, "nothing")


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_every_colour_stands_out_from_the_paper(colours):
    """WCAG 2.2: 4.5 for text, which series' names are, too."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    paper = luminance(colours["paper"])
    for name, colour in colours.items():
        if name not in {"paper", "grid"}:
            light, dark = sorted((luminance(colour), paper), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, name
