"""Inference and decoding against the reference: what is held against what, and in every format."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from bench.analysis.build import build
from bench.analysis.versus import versus
from bench.errors import UsageError
from bench.projection.assumptions import Assumptions
from bench.projection.prices import parse_price
from bench.report.charts.pictures import charts, find_chart
from bench.report.costs import inference_costs
from bench.report.document import document
from bench.report.formats import render
from tests.support import records as fake


def test_inference_is_held_against_the_reference_and_decoding_against_one_core():
    found = {
        (one.case.key.phase, one.case.key.scenario, one.case.key.precision): one for one in versus(build([fake.record()]))
    }
    assert set(found) == {
        ("infer", "offline", "fp32"), ("infer", "offline", "bf16"), ("infer", "single-stream", "fp32"), ("preprocess", "", ""),
    }  # fmt: skip
    for key, times in ((("infer", "offline", "fp32"), 24_000 / 280), (("preprocess", "", ""), 41 / 21)):
        one = found[key]
        assert abs(one.ratio.factor.value / times - 1) < 0.05
        assert (one.ratio.paired, one.ratio.n) == ("rounds", 5)
        assert one.ratio.factor.low < one.ratio.factor.value < one.ratio.factor.high
    assert found["infer", "offline", "fp32"].reference.key.backend == "cpu"
    assert found["preprocess", "", ""].reference.key.cores == 1


def test_devices_of_different_runs_are_not_paired():
    host = [script for script in fake.scripts() if script.case.backend != "cuda"]
    gpu = [script for script in fake.scripts() if script.case.backend == "cuda"]
    records = [fake.record("host", host), fake.record("gpu", gpu, on=fake.machine("b"))]
    offline = [one for one in versus(build(records)) if one.case.key.scenario == "offline"]
    assert [one.ratio.paired for one in offline] == ["none", "none"]


def test_unproven_rates_stand_in_no_ratio():
    unproven = [replace(one, checks=fake.FAILED) if one.case.phase == "infer" else one for one in fake.scripts()]
    assert {one.case.key.phase for one in versus(build([fake.record(wanted=unproven)]))} == {"preprocess"}


def test_the_table_says_what_the_interval_is_over():
    report = build([fake.record()])
    for name in ("terminal", "markdown", "html"):
        page = render(report, name)
        assert "Inference and decoding against the reference" in page
        assert "5 rounds" in page or "5\u00a0rounds" in page
    (first, *_) = json.loads(render(report, "json"))["against_reference"]
    assert first["paired"] == "rounds"
    assert first["times_as_fast"]["low"] < first["times_as_fast"]["value"]
    assert "Inference and decoding" not in render(build([fake.record(wanted=[fake.Script(fake.train(), 75.0)])]), "terminal")


def inference(*backends):
    """Records of inference alone, on devices of these backends."""
    return [
        fake.record(wanted=[one for one in fake.scripts() if one.case.phase == "infer" and one.case.backend in backends])
    ]


def test_a_report_of_inference_alone_begins_with_it():
    report = build(inference("cpu", "cuda"))
    first, second, *_ = document(report)
    assert (first.title, second.title[:9]) == ("Inference and decoding against the reference", "Measured:")
    assert render(report, "terminal").lstrip().startswith("Inference and decoding against the reference")
    page = render(report, "html")
    assert page.index('href="#inference"') < page.index('href="#training"')
    assert find_chart(report, "headline").name == charts(report)[0].name == "inference"
    assert charts(report)[0].title == "Inference rate: melanoma small"
    assert "inference" not in {chart.name for chart in charts(build([fake.record()]))}


@pytest.mark.parametrize(
    ("backends", "asked", "pairs"),
    [
        (("cpu", "cuda"), None, {("cuda", "cpu")}),
        (("cpu", "cuda"), "cuda", {("cpu", "cuda")}),
        (("cpu", "cuda"), "cuda:cuda:0", {("cpu", "cuda")}),
        (("cuda",), None, set()),
    ],
)
def test_the_reference_of_inference_alone(backends, asked, pairs):
    found = versus(build(inference(*backends), Assumptions(reference=asked)))
    assert {(one.case.key.backend, one.reference.key.backend) for one in found} == pairs


def test_without_a_host_the_slowest_device_is_the_reference():
    case = fake.infer("cuda", "cuda:0")
    other = msgspec.structs.replace(fake.GPU, backend="rocm", id="rocm:0", physical="gpu:1")
    scripts = [fake.Script(case, 24_000.0), fake.Script(fake.infer("rocm", "rocm:0"), 48_000.0)]
    (one,) = versus(build([fake.record(wanted=scripts, devices=[fake.GPU, other])]))
    assert (one.case.key.backend, one.reference.key.backend) == ("rocm", "cuda")
    assert abs(one.ratio.factor.value / 2 - 1) < 0.05


def test_a_reference_that_was_not_measured():
    with pytest.raises(UsageError, match="no valid inference on the reference 'jax'; there is: cpu, cuda:0"):
        build(inference("cpu", "cuda"), Assumptions(reference="jax"))


def test_prices_of_what_was_not_measured_are_said_to_price_nothing():
    single = [fake.Script(fake.single_stream(), 75.0)]
    report = build([fake.record(wanted=single)], Assumptions(prices=(parse_price("cpu=3 EUR"),)))
    for name in ("terminal", "html"):
        assert "Prices are of trainings and of offline inference." in render(report, name)
    assert "Prices are of trainings" not in render(build(inference("cpu", "cuda")), "terminal")


def test_a_million_images_cost_what_their_hours_cost():
    """At 3 EUR an hour and r images a second a million cost 3e6 / (3600 r) EUR, and the interval is the rate's, turned round."""
    assumptions = Assumptions(prices=(parse_price("cuda:0=3 EUR"),))
    report = build(inference("cpu", "cuda"), assumptions)
    costs = inference_costs(report)
    assert {(one.case.key.backend, one.case.key.scenario) for one in costs} == {("cuda", "offline")}
    for one in costs:
        for cost, rate in ((one.million.value, one.case.rate.value), (one.million.low, one.case.rate.high)):
            assert cost == pytest.approx(3e6 / 3600 / rate)
        assert one.million.low < one.million.value < one.million.high
    assert "What a million images cost by inference" in render(report, "terminal")
    assert "What a million images cost by inference" in render(report, "html")
    found = json.loads(render(report, "json"))["inference_costs"]
    assert [one["cost_of_a_million_images"]["value"] for one in found] == [one.million.value for one in costs]
    whole = build([fake.record()], assumptions)
    assert "What a million images cost by inference" in render(whole, "terminal")
    assert "What a million images cost by inference" not in render(whole, "html"), "the page's prices can be changed"


def test_an_unproven_rate_has_no_price():
    scripts = [fake.Script(fake.infer(), 75.0, checks=fake.FAILED)]
    report = build([fake.record(wanted=scripts)], Assumptions(prices=(parse_price("cpu=3 EUR"),)))
    assert inference_costs(report) == []


def test_a_price_of_a_device_without_inference_is_refused():
    with pytest.raises(UsageError, match="a price for 'jax', which is no device here; there is: cpu, cuda:0"):
        build(inference("cpu", "cuda"), Assumptions(prices=(parse_price("jax=3"),)))


def test_a_price_may_name_backend_and_device():
    """Two backends on one processor: a price of its id is of both, one of backend and device of that one alone."""
    other = msgspec.structs.replace(fake.CPU, backend="other")
    scripts = [fake.Script(fake.train(), 75.0), fake.Script(fake.train("other"), 90.0)]
    records = [fake.record(wanted=scripts, devices=[fake.CPU, other])]
    prices = tuple(map(parse_price, ("cpu=0.1 EUR", "other:cpu=0.2 EUR")))
    (group,) = build(records, Assumptions(prices=prices)).groups
    assert {row.best.train.key.backend: row.price.per_hour for row in group.rows} == {"cpu": 0.1, "other": 0.2}
