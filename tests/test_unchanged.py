"""The proofs that a rebuilding changes nothing: what they mask, what they notice, and how they pair runs."""

from __future__ import annotations

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


NOISE = (0.999, 1.0, 1.001, 1.0, 0.9995, 1.0005, 1.0, 1.0)


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.1, "regressed"), (0.8, "improved")])
def test_trials_are_judged_in_pairs(factor, verdict):
    paces = (1.0, 0.5, 2.0, 1.0, 1.0, 3.0, 1.0, 1.0)
    before = {f"{number} a": [0.1 * pace] * 4 for number, pace in enumerate(paces)}
    after = {
        f"{number} a": [0.1 * pace * factor * noise] * 5
        for number, (pace, noise) in enumerate(zip(paces, NOISE, strict=True))
    }
    (one,) = quick_runs.judged(before, after)
    assert (one.verdict(0.01), len(one.differences), one.seconds) == (verdict, 8, 0.1)
    assert one.differences[0] == pytest.approx(math.log(factor), abs=0.002)


def test_a_trial_of_one_side_is_no_pair():
    found = quick_runs.judged({"0 a": [1.0], "1 a": [1.0]}, {"0 b": [1.0], "1 a": [1.0], "2 a": [1.0], "0 a": []})
    assert [(one.case, len(one.differences), one.verdict(0.01)) for one in found] == [
        ("a", 1, "inconclusive"),
        ("b", 0, "inconclusive"),
    ]
    assert "inconclusive" in quick_runs.table(found)


def test_both_sides_cut_alike_and_the_error_is_shared():
    cuts = [
        {"steps": 4, "warmup": 3, "samples": 9, "detected": True},
        {"steps": 3, "warmup": 2, "samples": 11, "detected": False},
    ]
    assert quick_runs.alike(cuts) == {"steps": 3, "warmup": 4, "samples": 12, "detected": False}
    assert quick_runs.level_of(8) == ERROR_LEVEL / 8
