"""The proofs that a rebuilding changes nothing: what they mask, what they notice, and how they pair runs."""

from __future__ import annotations

import json
import math

import pytest

from bench.statistics.pairs import ERROR_LEVEL
from tests.proof import quick_runs, unchanged
from tests.proof.unchanged_commands import command_lines


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"accelbench 0.1.0\n", b"accelbench VERSION\n"),
        (b"version 9; this release reads version 1: use", b"version 9; this release reads VERSIONS: use"),
        (b"version 9; this release reads versions 1 and 2: use", b"version 9; this release reads VERSIONS: use"),
        (b"torch 2.13.0, rate 0.1.0", b"torch 2.13.0, rate 0.1.0"),
    ],
)
def test_only_what_may_differ_is_masked(text, wanted):
    assert unchanged.masked(text) == wanted


def test_every_part_that_differs_is_shown():
    before = {
        "exit code of step 1": b"0",
        "output of step 1": b"one\ntwo\n",
        "file out/a.svg": b"<svg>",
        "file out/b.png": b"\xff",
    }
    after = {"exit code of step 1": b"5", "output of step 1": b"one\n2\n", "file out/b.png": b"\xff\xfe"}
    assert unchanged.differences(before, before) == []
    assert unchanged.differences(before, after) == [
        "exit code of step 1:", "-0", "+5",
        "output of step 1:", "-two", "+2",
        "file out/a.svg:", "- is there only before",
        "file out/b.png:", "- 1 bytes", "+ 2 bytes, and others",
    ]  # fmt: skip
    assert unchanged.differences({"output": b"one\n"}, {"output": b"one"}) == ["output:", "other line ends"]


def test_a_long_line_is_shown_from_where_it_differs():
    before, after = ({"output": f"{'same ' * 100}{word} end".encode()} for word in ("one", "two"))
    assert unchanged.differences(before, after) == ["output:", f"-…{'same ' * 8}one end", f"+…{'same ' * 8}two end"]


def test_a_difference_counts(capsys):
    verdicts = unchanged.Verdicts()
    verdicts.tell("a table", [])
    verdicts.tell("a page", [f"+{number}" for number in range(20)])
    assert (verdicts.same, verdicts.different) == (1, 1)
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["same     a table", "DIFFERS  a page"]
    assert said[-1].strip() == "… and 8 lines more"


def test_no_two_comparisons_have_one_name():
    names = [compared.name for compared in command_lines()]
    assert len(set(names)) == len(names)


def test_rates_of_a_report():
    from bench.analysis.build import build
    from bench.report.formats import render
    from tests.support import records as fake

    wanted = [
        fake.Script(fake.preprocess(), 41.0),
        fake.Script(fake.train(), 75.0),
        fake.Script(fake.infer(), 280.0, checks=fake.FAILED),
    ]
    rates = quick_runs.rates_of(json.loads(render(build([fake.record(wanted=wanted)]), "json")))
    assert list(rates) == ["host cpu melanoma-small preprocess 2 cores", "cpu cpu melanoma-small train fp32 batch 32"]
    assert rates["cpu cpu melanoma-small train fp32 batch 32"] == pytest.approx(75.0, rel=0.05)


NOISE = (0.999, 1.0, 1.001, 1.0, 0.9995, 1.0005, 1.0, 1.0)


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (0.9, "regressed"), (1.2, "improved")])
def test_runs_are_judged_in_pairs(factor, verdict):
    before = [{"a": 100.0 * pace, "b": 7.0} for pace in (1.0, 0.5, 2.0, 1.0, 1.0, 3.0, 1.0, 1.0)]
    after = [{"a": rates["a"] * factor * noise, "b": 7.0} for rates, noise in zip(before, NOISE, strict=True)]
    one, other = quick_runs.judged(before, after)
    assert (one.verdict, one.pairs, other.verdict) == (verdict, 8, "pass")
    assert one.effect is not None
    assert one.effect.log_ratio == pytest.approx(-math.log(factor), abs=0.002)


def test_a_case_of_one_side_has_no_pair():
    found = quick_runs.judged([{"a": 1.0}] * 3, [{"b": 1.0}, {"a": 1.0, "b": 1.0}, {"b": 1.0}])
    assert [(one.case, one.pairs, one.verdict) for one in found] == [("a", 1, "inconclusive"), ("b", 0, "inconclusive")]
    assert "inconclusive" in quick_runs.table(found)


def test_either_side_comes_first_as_often_and_the_error_is_shared():
    firsts = [order[0] for order in quick_runs.orders(4)]
    assert firsts == ["before", "after", "before", "after"]
    assert quick_runs.level_of(8) == ERROR_LEVEL / 8
