"""What the formats print, and what they refuse to pass on."""

import csv
import io
import json
import re
import unicodedata
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis.build import build
from bench.datasets import DATASETS
from bench.errors import UsageError
from bench.projection.assumptions import Assumptions
from bench.record.schema import Check, Place, Skip
from bench.report.formats import BUILT_IN, render
from bench.text.words import clean, first_line, markdown, processor, spreadsheet
from tests.support import records as fake

FORMATS = [reporter.name for reporter in BUILT_IN]


@pytest.fixture(scope="module")
def report():
    return build([fake.record()])


def cells(page, heading):
    """The cells of a Markdown table's rows, by its heading."""
    section = page.split(f"### {heading}")[1].split("###")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in (lines[0], *lines[2:])]


def test_formats():
    assert FORMATS == ["terminal", "markdown", "html", "csv", "json", "pytest-benchmark"]


def test_an_unknown_format_is_refused(report):
    with pytest.raises(UsageError, match="expected terminal, markdown, html, csv, json"):
        render(report, "pdf")


def test_days_versus_hours_in_markdown():
    slow = build([fake.record()], Assumptions(dataset=DATASETS["isic2020"]))
    header, cpu, gpu = cells(render(slow, "markdown"), "Days versus hours")
    assert header == [
        "device",
        "setting",
        "decode",
        "one training",
        "50 runs",
        "a week",
        "in 4 h",
        "same precision",
        "best precision",
        "limited by",
    ]
    assert cpu[0] == "Intel Xeon Platinum 8468, 2 cores (cpu)"
    assert cpu[1] == "bf16, batch 32"
    assert re.fullmatch(r"2\.\d days ± [\d.]+ %", cpu[3])
    assert re.fullmatch(r"\d{3} days ± [\d.]+ %", cpu[4])
    assert cpu[7:9] == ["reference", "reference"]
    assert gpu[0] == "NVIDIA H200 (cuda:0)"
    assert re.fullmatch(r"1\.\dx ± [\d.]+ %", gpu[8])
    assert re.fullmatch(r"decode \(about [\d,]+ cores would feed it\)", gpu[9])


def test_every_speed_up_names_cores_and_precision_on_both_sides(report):
    page = render(report, "markdown")
    cpu = r"Intel Xeon Platinum 8468, 2 cores (cpu)"
    assert f"- same: NVIDIA H200 (cuda:0), 2 host cores, fp32, batch 32, against {cpu}, fp32, batch 32." in page
    assert f"- best: NVIDIA H200 (cuda:0), 2 host cores, bf16, batch 256, against {cpu}, bf16, batch 32." in page


def test_assumptions_skips_machines_and_records_are_on_the_page(report):
    page = render(report, "terminal", width=200)
    for text in (
        "Tschandl",
        "7,010 images train",
        "jax: JAX is not importable",
        "torch 2.13.0",
        "bench run --seed 7",
        "2 cores",
    ):
        assert text in page


def test_marks_are_explained_where_they_are_used():
    scripts = [replace(script, trials=1, checks=(), change={"steady": "assumed"}) for script in fake.scripts()]
    page = render(build([fake.record(wanted=scripts)]), "terminal", width=160)
    assert "‡~¹" in page
    for meaning in ("‡ unproven", "~ steady state assumed", "¹ one trial"):
        assert meaning in page
    assert "▲" not in page
    assert "Not projected" in page


def test_a_disturbed_trial_is_marked_in_every_format():
    hot = "gpu:0 was slowed down: power brake in 7 of 12 looks"
    scripts = [replace(script, change={"disturbances": [hot]}) for script in fake.scripts()]
    report, quiet = build([fake.record(wanted=scripts)]), build([fake.record()])
    for style in ("terminal", "markdown", "html"):
        assert "†" in render(report, style)
        assert "power brake in 7 of 12 looks" in " ".join(render(report, style).split())
        assert "5 of 5 trials were disturbed" in " ".join(render(report, style).split())
        assert "were disturbed" not in render(quiet, style)
    data = json.loads(render(report, "json"))["measured"][0]
    assert data["marks"] == ["disturbed"]
    assert data["disturbed_trials"] == 5
    assert data["disturbances"] == [hot]
    assert hot in render(report, "csv")


def test_without_decoding_that_is_said_wherever_it_matters():
    scripts = [script for script in fake.scripts() if script.case.phase != "preprocess"]
    page = render(build([fake.record(wanted=scripts)]), "terminal", width=200)
    for text in (
        "unknown",
        "(decode unknown)",
        "decoding was not measured",
        "* without decoding, not measured on both",
        "% *",
    ):
        assert text in page


def test_without_ceilings_that_is_said(report):
    assert "no ceilings were measured" in render(build([fake.record(ceilings=[])]), "markdown")
    assert "no ceilings were measured" not in render(report, "markdown")


def test_without_a_reference_that_is_said():
    scripts = [script for script in fake.scripts() if script.case.backend != "cpu"]
    assert "no CPU reference" in render(build([fake.record(wanted=scripts)]), "markdown")


def test_rows_of_one_device_say_what_tells_them_apart():
    old = [msgspec.structs.replace(device, versions={"torch": "2.4.0"}) for device in (fake.CPU, fake.GPU)]
    page = render(build([fake.record(), fake.record("r1", devices=old)]), "markdown")
    assert r"NVIDIA H200 (cuda:0) \[torch 2.4.0\]" in page


def test_a_failed_check_says_what_was_found():
    scripts = [replace(script, checks=fake.FAILED) for script in fake.scripts()[:3]]
    assert "failed: first losses: 0.31, allowed 0.0001" in render(build([fake.record(wanted=scripts)]), "markdown")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 110, 120, 200])
def test_the_page_fits_the_terminal(report, width):
    for line in render(report, "terminal", width=width).splitlines():
        assert len(line) <= max(width, 44)  # a digest or address may be longer than a very narrow terminal


def test_devices_stand_side_by_side_on_80_columns(report):
    page = render(report, "terminal", width=80)
    assert re.search(r"one training +4\d min ± [\d.]+ %\s+2\d min", page)


# ---- for machines --------------------------------------------------------------------------------------------------


def test_json_holds_raw_figures_with_units_and_intervals(report):
    data = json.loads(render(report, "json"))
    (group,) = data["days_versus_hours"]
    cpu, gpu = group["devices"]
    assert set(cpu["best"]["one_training_seconds"]) == {"value", "low", "high"}
    assert cpu["best"]["one_training_seconds"]["value"] == report.groups[0].rows[0].best.projection.training.value
    assert gpu["best"]["speed_up_best"]["reference_cores"] == 2
    assert gpu["best"]["speed_up_best"]["reference_precision"] == "bf16"
    assert len(data["measured"]) == len(report.measured)
    assert data["records"][0]["command"] == ["bench", "run", "--seed", "7"]


def test_json_has_null_and_not_nan_where_there_is_no_figure():
    scripts = [replace(fake.scripts()[2], trials=1), replace(fake.scripts()[3], status="crashed", reason="x")]
    text = render(build([fake.record(wanted=scripts)]), "json")
    assert "NaN" not in text
    assert json.loads(text)["measured"][0]["images_per_second"] is None


def test_csv_has_one_row_per_case(report):
    rows = list(csv.DictReader(io.StringIO(render(report, "csv"))))
    assert len(rows) == len(report.measured)
    trained = [row for row in rows if row["phase"] == "train"]
    assert all(float(row["one_training_seconds_low"]) < float(row["one_training_seconds"]) for row in trained)
    assert {row["backend"]: row["reference"] for row in trained} == {"cpu": "True", "cuda": "False"}


# ---- hostile strings -----------------------------------------------------------------------------------------------

HOSTILE = [
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b]8;;http://evil\x1b\\link", "\x9b2J", "a\x00b", "a\r\nb\tc", "\u202egpj.exe",
    "<script>alert(1)</script>", "a|b", "![x](http://evil)", "[x](javascript:1)", "`code`", "@everyone", "[bold red]x[/]",
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "{0}%s", "\ud800", "x" * 5000, "e\u0301\u200b", "1e5", " ", "",
]  # fmt: skip


def poisoned(text):
    """A record with this string in every place that holds a stranger's words."""
    poisoned_case = {"backend": text, "places": (Place(text),), "workload": text, "size": text, "options": {text: text}}
    facts = {"name": text, "size": text, "digest": text}
    scripts = [
        fake.Script(msgspec.structs.replace(script.case, **poisoned_case), script.rate, script.trials)
        for script in fake.scripts()[:4]
    ]
    scripts[0] = replace(scripts[0], checks=[Check(name=text, passed=False, detail=text)])
    scripts.append(fake.Script(scripts[2].case, 1.0, 1, status="crashed", reason=text, change={"log_tail": text}))
    on = fake.machine(text, cpu=text, system=text, architecture=text, facts={"governor": text}, gpus=[{"name": text}])
    device = msgspec.structs.replace(fake.CPU, backend=text, id=text, name=text, physical=text, versions={text: text})
    return fake.record(
        text,
        scripts,
        on=on,
        command=[text, text],
        created=text,
        devices=[device],
        workloads=[msgspec.structs.replace(fake.SMALL, **facts)],
        data=[msgspec.structs.replace(fake.SYNTHETIC, description=text, fingerprint=text)],
        ceilings=[
            msgspec.structs.replace(ceiling, physical=text, shape=text, backend=text) for ceiling in fake.record().ceilings
        ],
        skips=[Skip(what=text, reason=text)],
        environment={text: text},
        bench={"version": text, "commit": text},
    )


def printable(page):
    return all(
        character == "\n" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in page
    )


def check_harmless(text):
    report = build([poisoned(text)])
    assert printable(render(report, "terminal", width=100))
    page = render(report, "markdown")
    assert printable(page)
    assert "<" not in page
    assert not re.search(r"(?<!\\)(?:\\\\)*\]\(", page)
    assert json.loads(render(report, "json"))["records"]
    assert render(report, "json").isascii()
    for row in csv.reader(io.StringIO(render(report, "csv"))):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
        assert all(printable(cell) for cell in row)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_do_no_harm(text):
    check_harmless(text)


@settings(max_examples=60)
@given(st.text(max_size=40) | st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join))
def test_no_string_does_harm(text):
    check_harmless(text)


@given(st.text())
def test_cleaned_text_is_one_printable_line(text):
    cleaned = clean(text)
    assert printable(cleaned)
    assert "\n" not in cleaned
    assert len(cleaned) <= 200
    assert clean(cleaned) == cleaned


@given(st.text())
def test_no_text_leaves_its_markdown_cell(text):
    assert not re.search(r"(?<!\\)(\\\\)*\|", markdown(text))
    assert "<" not in markdown(text)


@given(st.text())
def test_no_text_is_a_formula(text):
    assert not spreadsheet(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_cleaning():
    assert clean("\x1b[1;31mred\x1b[0m alert") == "red alert"
    assert clean("\x1b]0;title\x07after") == "after"
    assert clean("é 漢字 ± µs") == "é 漢字 ± µs"
    assert clean("x" * 300, 10) == "x" * 9 + "…"
    assert first_line("\n\n  Traceback:\n more") == "Traceback:"
    assert markdown("a|b <i> [x](y) @me http://z") == r"a\|b &lt;i&gt; \[x\](y) &#64;me http&#58;//z"
    assert spreadsheet("=1+1") == "'=1+1"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Intel(R) Xeon(R) Platinum 8468 CPU @ 2.10GHz", "Intel Xeon Platinum 8468"),
        ("AMD EPYC 9654 96-Core Processor", "AMD EPYC 9654"),
        ("Apple M2", "Apple M2"),
        ("", "unnamed processor"),
    ],
)
def test_processor_names(name, short):
    assert processor(name) == short
