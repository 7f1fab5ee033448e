"""Inference and decoding against the reference: what is held against what, and in every format."""

from __future__ import annotations

import json
from dataclasses import replace

from bench.analysis.build import build
from bench.analysis.versus import versus
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
