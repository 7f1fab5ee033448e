"""On which proof a figure stands: in the case's own precision, or of the same lowering in a sharper one."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import msgspec
import pytest
from msgspec import structs

from bench.analysis.build import build
from bench.analysis.model import UNCHECKED, UNJUDGED, UNPROVEN
from bench.errors import UsageError
from bench.precisions import PRECISIONS
from bench.record.checks import MANY_IMAGES, named_in, plain_name, sharper_precision
from bench.record.figures import standing
from bench.record.schema import Check
from bench.report.formats import render
from bench.report.page.page import HtmlReporter
from bench.report.proofs import checks, proof
from bench.report.pytest_benchmark import left_out
from tests.support import records as fake

LOSSES = Check(name="first losses", passed=True)
HIDDEN = Check(name="updates of a block", passed=True, judged=False, detail="not judged: rounding hides it")
SHARP = [Check(name=f"{name}, in fp32", passed=True) for name in ("later losses", "updates of a block")]
FAILED = Check(name="updates of a block, in fp32", passed=False, detail="one tensor strays")


def report(found, precision="bf16"):
    """A record whose training in one precision has these checks in every trial."""
    wanted = [
        replace(script, checks=found if script.case.how.projected == "training" and script.case.precision == precision else fake.PASSED)
        for script in fake.scripts() if script.case.backend != "cuda"
    ]  # fmt: skip
    return build([fake.record(wanted=wanted)])


def training(found, precision="bf16"):
    return next(
        case
        for case in report(found, precision).measured
        if case.key.how.projected == "training" and case.key.precision == precision
    )


@pytest.mark.parametrize(
    ("found", "said", "cell", "marked"),
    [
        ([LOSSES], "proven in bf16", "1 passed in bf16", False),
        (
            [LOSSES, HIDDEN, *SHARP],
            "proven in fp32 by the same lowering; in bf16 1 check cannot be judged",
            "2 passed in fp32 by the same lowering; 1 passed in bf16, 1 not judged",
            True,
        ),
        ([LOSSES, HIDDEN], "proven in bf16; 1 check cannot be judged", "1 passed in bf16, 1 not judged", True),
    ],
)
def test_a_case_says_on_which_proof_it_stands(found, said, cell, marked):
    case = training(found)
    assert (proof(case), checks(case), UNJUDGED in case.marks, case.valid) == (said, cell, marked, True)


def test_a_failed_check_in_a_sharper_precision_leaves_the_case_unproven():
    case = training([LOSSES, HIDDEN, FAILED])
    assert proof(case) == "not proven"
    assert checks(case).startswith("failed: updates of a block, in fp32")
    assert UNPROVEN in case.marks
    assert UNJUDGED not in case.marks


def test_a_check_that_is_not_judged_is_not_among_those_that_passed():
    case = training([LOSSES, HIDDEN, *SHARP])
    assert case.passed == ("first losses", "later losses, in fp32", "updates of a block, in fp32")
    assert case.unjudged == ("updates of a block",)


def test_checks_that_all_say_nothing_prove_nothing():
    case = training([HIDDEN])
    assert {UNPROVEN} <= set(case.marks)
    assert UNCHECKED not in case.marks
    assert (proof(case), checks(case)) == ("not proven", "0 passed in bf16, 1 not judged")
    trial = fake.record().trials[-1]
    assert standing(msgspec.structs.replace(trial, checks=[HIDDEN])) == "unchecked"
    assert standing(msgspec.structs.replace(trial, checks=[HIDDEN, LOSSES])) == "proven"


@pytest.mark.parametrize(("which", "hidden"), [(lambda trial: trial.number > 0, ()), (lambda trial: True, (MANY_IMAGES,))])
def test_a_case_says_that_no_trial_was_checked_on_many_images(which, hidden):
    record = fake.record()
    trials = [structs.replace(trial, brief=trial.role == "trial" and which(trial)) for trial in record.trials]
    case = build([structs.replace(record, trials=trials)]).measured[0]
    assert (case.unjudged, UNJUDGED in case.marks) == (hidden, bool(hidden))


def test_preprocessing_has_no_precision_to_be_proven_in():
    case = next(case for case in report([LOSSES]).measured if case.key.how.on_host)
    assert (proof(case), checks(case)) == ("proven", "2 passed")


def test_every_format_says_it():
    found = report([LOSSES, HIDDEN, *SHARP])
    sentence = "proven in fp32 by the same lowering; in bf16 1 check cannot be judged"
    for name in ("terminal", "markdown", "csv", "json", "pytest-benchmark"):
        assert sentence in " ".join(render(found, name).split()), name
    page = HtmlReporter().render(found)
    assert sentence in page
    assert "1 of them, marked ◇, had checks that could not be judged" in page
    markdown = render(found, "markdown")
    assert "bf16, batch 32 ◇" in markdown
    assert "◇ checks not judged" in markdown
    (measured,) = [case for case in json.loads(render(found, "json"))["measured"] if case["checks_not_judged"]]
    assert measured["checks_not_judged"] == ["updates of a block"]


def test_where_everything_was_judged_nothing_is_added():
    assert "On which proof" not in render(report([LOSSES]), "markdown")


@pytest.mark.parametrize("name", ["later losses", "gradients, in groups", "in fp32", ", in fp32"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_checks_name_tells_the_sharper_precision(name, precision):
    assert (plain_name(name), sharper_precision(name)) == (name, "")
    assert (plain_name(named_in(name, precision)), sharper_precision(named_in(name, precision))) == (name, precision)


def test_tools_without_marks_get_no_rate_that_is_not_proven():
    found = report([FAILED])
    assert [case.key.precision for case in found.measured if UNPROVEN in case.marks] == ["bf16"]
    names = [one["name"] for one in json.loads(render(found, "pytest-benchmark"))["benchmarks"]]
    assert names
    assert not [name for name in names if " train" in name and "bf16" in name]
    assert left_out(found) == ["cpu melanoma small train bf16, batch 32: unproven"]


def test_a_file_without_a_proven_rate_is_refused():
    found = build([fake.record(wanted=[fake.Script(fake.train(), 75.0, checks=fake.FAILED)])])
    with pytest.raises(UsageError, match="may be exported: cpu melanoma small train fp32, batch 32: unproven; tools"):
        render(found, "pytest-benchmark")


def test_a_table_holds_no_rate_without_its_mark_beside_it():
    found = build([fake.record(wanted=[fake.Script(fake.train(), 75.0, checks=fake.FAILED)])])
    header, row = csv.reader(render(found, "csv").splitlines())
    rate = header.index("images_per_second")
    assert float(row[rate]) == pytest.approx(75.0, rel=0.05)
    assert dict(zip(header[rate:], row[rate:], strict=True))["valid"] == "False"
    assert "unproven" in row[header.index("marks")]
    assert header.index("marks") - rate < 6
