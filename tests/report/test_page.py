"""The page: harmless whatever the records say, the same figures as the command line, and usable in a real browser."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import json
import random
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.analysis.build import build
from bench.analysis.model import Report
from bench.cli import main
from bench.datasets import DATASETS, adapted, find_dataset
from bench.projection.assumptions import MODEL, Assumptions
from bench.projection.prices import Price
from bench.record.figures import energy as energy_of
from bench.record.files import NAME, find_records, read_record, write_record
from bench.record.schema import Energy, Evaluation, Forecast, Record
from bench.report.cells import energy, estimated
from bench.report.charts.times import headlines, pipeline_rows, pipelines, sentence, stages, subject
from bench.report.costs import cost_cells, cost_notes, price_source
from bench.report.document import assumption_lines
from bench.report.formats import render
from bench.report.headline import headline
from bench.report.notes import row_labels
from bench.report.page.page import Attachments, HtmlReporter
from bench.text.sections import cut
from bench.text.words import markdown
from tests.support import records as fake
from tests.support.browser import Visit, browser, needs_browser, patient

RESULTS = Path(__file__).parents[2] / "results"


ENERGY = {
    "package-0": Energy(joules=400.0, seconds=4.0, idle_watts=30.0),
    "gpu:0": Energy(joules=2000.0, seconds=4.0, idle_watts=75.0),
}


def drawing(counted: dict[str, Energy], number: int) -> dict[str, Energy]:
    return {name: msgspec.structs.replace(one, joules=one.joules * (1 + 0.03 * number)) for name, one in counted.items()}


def two_machines() -> list[Record]:
    """A GPU's host and one without, several settings each, one of them with a single trial."""
    plain = [replace(script, rate=script.rate * 0.7) for script in fake.scripts() if script.case.backend != "cuda"]
    plain = [replace(script, trials=1) if script.case.phase == "preprocess" else script for script in plain]
    counting = [replace(script, change={"energy": ENERGY}) for script in fake.scripts()]
    first = fake.record(wanted=counting)
    trials = [fake.changed(trial, energy=drawing(energy_of(trial), trial.number)) for trial in first.trials]
    first = msgspec.structs.replace(first, trials=trials)
    return [
        first,
        fake.record("r1", plain, on=fake.machine("b", gpus=[], cores=8, memory_usable=2**31, disk_free=2**40), seed=3),
    ]


def page_of(records: list[Record], assumptions: Assumptions | None = None) -> str:
    attachments = Attachments()
    return HtmlReporter(attachments).render(build(attachments.passing(records), assumptions))


class Elements(HTMLParser):
    """What a browser's parser would find, roughly: elements, attributes, and the text of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data


# ---- the file --------------------------------------------------------------------------------------------------------


def test_only_the_pages_own_scripts_may_run():
    found = Elements(page_of(two_machines()))
    policy = next(
        attributes["content"] for tag, attributes in found.tags if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    data, *scripts = found.scripts
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    assert len(hashes) == 3
    json.loads(data)
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    sources = [attributes["src"] for _, attributes in found.tags if attributes.get("src")]
    assert all(
        source.startswith("data:image/svg+xml;base64,") for source in sources
    )  # still pictures, where scripts are off
    assert not any((attributes.get("href") or "#")[0] != "#" for _, attributes in found.tags)


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`{{7*7}}<!--\u2028=cmd|' /C calc'!A0"


def hostile() -> Record:
    """A record whose every free text wants to be markup."""
    wanted = [
        replace(
            script,
            reason=HOSTILE,
            change={"log_tail": HOSTILE, "lowering": HOSTILE},
            checks=fake.FAILED if place == 2 else fake.PASSED,
        )
        for place, script in enumerate(fake.scripts())
    ]
    wanted.append(
        replace(wanted[3], status="crashed", case=msgspec.structs.replace(wanted[3].case, options={HOSTILE: HOSTILE}))
    )
    machine = fake.machine("a", cpu=HOSTILE, system=HOSTILE, host=HOSTILE, facts={"governor": HOSTILE})
    gpu = msgspec.structs.replace(fake.GPU, name=HOSTILE, versions={HOSTILE: HOSTILE})
    return fake.record(HOSTILE, wanted, on=machine, devices=[fake.CPU, gpu], command=[HOSTILE], labels={HOSTILE: HOSTILE})


def test_hostile_records_bring_no_markup_into_the_page():
    plain, found = Elements(page_of(two_machines()[:1])), Elements(page_of([hostile()]))
    assert len(found.scripts) == len(plain.scripts)
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in plain.tags} | {"abbr"}
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert "49" not in [data.strip() for data in found.scripts]


def test_the_page_is_small_and_carries_its_records():
    records = two_machines()
    page = page_of(records)
    assert len(page.encode()) < 3_000_000
    data = json.loads(Elements(page).scripts[0])
    assert [found["id"] for found in data["records"]] == ["r0", "r1"]
    sealed = json.loads(gzip.decompress(base64.b64decode(data["records"][0]["gzip"])))
    assert msgspec.convert(sealed["record"], Record) == records[0]


def test_the_record_in_the_page_is_one_that_can_be_read_again(tmp_path):
    data = json.loads(Elements(page_of(two_machines())).scripts[0])
    (tmp_path / NAME).write_bytes(gzip.decompress(base64.b64decode(data["records"][1]["gzip"])))
    assert read_record(tmp_path).id == "r1"


def test_hundreds_of_records_fit_and_the_page_says_what_it_left_out():
    records = [fake.record(f"r{number}", on=fake.machine(f"{number:03d}"), seed=number) for number in range(60)]
    page = page_of(records)
    assert len(page.encode()) < 3_000_000
    data = json.loads(Elements(page).scripts[0])
    assert len(data["records"]) >= 3
    assert len(data["records"]) + data["leftOut"] == 60


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (
            [fake.record(wanted=[script for script in fake.scripts() if script.case.phase != "train"])],
            "No training can be projected",
        ),
        ([fake.record(wanted=[replace(script, checks=fake.FAILED) for script in fake.scripts()])], "failed: first losses"),
        ([fake.record(wanted=[replace(script, trials=1) for script in fake.scripts()])], "of a single trial"),
        ([fake.record(wanted=[script for script in fake.scripts() if script.case.backend == "cuda"])], "no CPU reference"),
    ],
)
def test_poor_records_make_a_page_that_says_so(records, words):
    assert words in page_of(records)


# ---- the same figures as the command line ------------------------------------------------------------------------------


def expected(report: Report) -> dict[str, Any]:
    """What the page must show for these assumptions."""
    groups = []
    for group in report.groups:
        section = headline(group, report)
        assert section.table is not None
        priced = any(row.price is not None for row in group.rows)
        costs = [
            list(cost_cells(row, label, group, report.assumptions))
            for row, label in zip(group.rows, row_labels(group), strict=True)
        ]
        groups.append(
            {
                "title": section.title, "columns": list(section.table.columns), "rows": [list(row) for row in section.table.rows],
                "sentence": sentence(group, report.assumptions), "subject": subject(group, report.assumptions), "lines": list(section.lines), "costs": costs,
                "costLines": list(cut([*cost_notes(group, report.assumptions)])) if priced else [],
                "pictureTitle": next(headlines(report)).title,
                "energies": [
                    [label, estimated(row.best.projection.energy, energy)] for row, label in zip(group.rows, row_labels(group), strict=True)
                ],
            }
        )  # fmt: skip
    everything = list(assumption_lines(report))
    return {"groups": groups, "assumed": everything[: everything.index(MODEL[0])]}


def given(assumptions: Assumptions) -> dict[str, Any]:
    """The same assumptions as the page's form gives them."""
    return {
        "dataset": assumptions.dataset.name, "images": assumptions.dataset.images, "megapixels": assumptions.dataset.megapixels,
        "epochs": assumptions.epochs, "tuningRuns": assumptions.tuning_runs, "budgetHours": assumptions.budget_hours,
        "retrainDays": assumptions.retrain_days, "decodeCores": assumptions.decode_cores, "devices": assumptions.devices,
        "efficiency": assumptions.efficiency, "reference": assumptions.reference, "decode": assumptions.decode,
    }  # fmt: skip


def entered(assumptions: Assumptions) -> dict[str, Any]:
    """The same prices as the page's form gives them, by device."""
    return {
        price.device: {"perHour": price.per_hour, "currency": price.currency, "source": price_source(price)}
        for price in assumptions.prices
    }


def table_of_cases() -> list[Assumptions]:
    """What both must agree on: corners, and many drawn with a fixed seed."""
    rng = random.Random(5)
    cases = [
        Assumptions(),
        Assumptions(reference="cuda:0"),
        Assumptions(dataset=adapted(DATASETS["ham10000"], 1)),
        Assumptions(budget_hours=1e-6),
        Assumptions(decode="once", budget_hours=1e-6),
        Assumptions(decode="every-epoch"),
    ]
    cases += [Assumptions(dataset=dataset) for dataset in DATASETS.values()]
    for _ in range(75):
        dataset = rng.choice(list(DATASETS.values()))
        images = rng.choice([None, rng.randint(1, 50), int(10 ** rng.uniform(1, 12))])
        megapixels = rng.choice([None, None, round(10 ** rng.uniform(-4, 3), 5)])
        devices = rng.choice([1, 1, 2, 8, 1000])
        cases.append(
            Assumptions(
                dataset=adapted(dataset, images, megapixels),
                epochs=rng.choice([None, 1, rng.randint(2, 100_000)]),
                tuning_runs=rng.choice([50, 1, rng.randint(1, 10**6)]),
                budget_hours=rng.choice([4.0, round(10 ** rng.uniform(-3, 6), 3)]),
                retrain_days=rng.choice([7.0, 1.0, 0.5, round(10 ** rng.uniform(-2, 4), 3)]),
                decode_cores=rng.choice([None, 1, 16, 512]),
                decode=rng.choice([None, None, "once", "every-epoch"]),
                devices=devices,
                efficiency=None if devices == 1 else round(rng.uniform(0.05, 1), 3),
                reference=rng.choice([None, None, "cpu", "cuda:0"]),
                prices=tuple(
                    Price(
                        device,
                        round(10 ** rng.uniform(-3, 3), 4),
                        rng.choice(["EUR", "EUR", "USD"]),
                        source=rng.choice(["", "a list"]),
                    )
                    for device in ("cpu", "cuda:0")
                    if rng.random() < 0.6
                ),
            )
        )
    return cases


@pytest.fixture(scope="module")
def chromium():
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two machines' records, as files."""
    place = tmp_path_factory.mktemp("records")
    for record in two_machines():
        (place / record.id).mkdir()
        write_record(record, place / record.id / NAME)
    return place


@pytest.fixture(scope="module")
def page(folder):
    (folder / "page.html").write_text(page_of(two_machines()), encoding="utf-8")
    return folder / "page.html"


@pytest.fixture(scope="module")
def tab(chromium):
    """A tab for all tests that need none of their own: a page that is loaded into it costs a third of a new tab."""
    found = Visit(chromium, accept_downloads=True)
    yield found
    found.close()


@pytest.fixture
def visit(tab, page):
    """The page of two machines, loaded anew."""
    tab.open(page)
    return tab


def lacking() -> list[Record]:
    """A GPU whose host's decoding and augmentation were not measured, and a processor whose inference was not; as strangers' records may be."""
    old = {"stages": {"import": 2.0, "build": 0.3, "compile": 0.5, "first_step": 0.2, "steady": 9.0}}
    gpu = [
        replace(script, change=old)
        for script in fake.scripts()
        if script.case.phase != "preprocess" and script.case.backend == "cuda"
    ]
    host = [replace(script, rate=script.rate * 0.7) for script in fake.scripts() if script.case.backend != "cuda"]
    host = [script for script in host if script.case.phase != "infer"]
    return [fake.record(wanted=gpu), fake.record("r1", host, on=fake.machine("b", gpus=[], cores=8), seed=3)]


def scattered() -> list[Record]:
    """Trials that have little in common, and a host whose three records do."""
    wild = [replace(script, between=2.0, trials=3) for script in fake.scripts()]
    host = [script for script in fake.scripts() if script.case.backend != "cuda"]
    return [
        fake.record(wanted=wild),
        *(fake.record(f"h{seed}", host, on=fake.machine("b", gpus=[]), seed=seed) for seed in range(3)),
    ]


def uneven() -> list[Record]:
    """A run in which cases that scatter got more trials than others, some of which have too few to be paired."""
    return [fake.record(wanted=[replace(script, trials=2 + place % 4) for place, script in enumerate(fake.scripts())])]


@needs_browser
@pytest.mark.parametrize("make", [two_machines, lacking, scattered, uneven])
def test_the_page_computes_what_the_command_line_computes(tab, tmp_path, make):
    records = make()
    (tmp_path / "page.html").write_text(page_of(records), encoding="utf-8")
    tab.open(tmp_path / "page.html")
    for assumptions in table_of_cases()[:: 1 if make is two_machines else 8]:
        found = tab.page.evaluate(
            """([given, prices]) => {
                const data = JSON.parse(document.getElementById('data').textContent).whatIf;
                return accelbench.compute(data, given, data.groups.map(group => Object.fromEntries(
                    group.rows.map((row, place) => [place, prices[row.name] || null]))));
            }""",
            [given(assumptions), entered(assumptions)],
        )
        assert found["fault"] == ""
        report = build(records, assumptions)
        wanted = expected(report)
        for group, theirs, ours in zip(report.groups, wanted["groups"], found["groups"], strict=True):
            assert {name: ours[name] for name in theirs} == theirs, assumptions
            for (row, label), pictured in zip(pipeline_rows(group), ours["pipeline"], strict=True):
                assert pictured["label"] == label
                for stage, same in zip(stages(row, group, report), pictured["stages"], strict=True):
                    assert same == [stage[0], *(pytest.approx(figure, rel=1e-9, abs=1e-12) for figure in stage[1:])]
        assert found["assumed"] == wanted["assumed"]


@needs_browser
def test_numbers_are_written_as_the_command_line_writes_them(visit):
    from bench.durations import duration, number

    rng = random.Random(11)
    values = [
        0.0,
        0.5,
        1.5,
        2.5,
        0.25,
        1845.0,
        18450.0,
        1835.0,
        999.5,
        9.95,
        99.95,
        59.95,
        59.5,
        3599.0,
        1e-7,
        1e21,
        5e14,
        0.045,
    ]
    values += [sign * 10 ** rng.uniform(-8, 18) for sign in (1, -1) for _ in range(1500)]
    values += [rng.randint(1, 10**7) / 2 for _ in range(500)] + [float(rng.randint(1, 10**9)) for _ in range(500)]
    found = visit.page.evaluate(
        "values => values.map(value => [accelbench.number(value), accelbench.duration(value), accelbench.general(value)])",
        values,
    )
    for value, ours in zip(values, found, strict=True):
        assert ours == [number(value), duration(value), f"{value:g}"], value


CONTROLS = {  # control: its value, and the same for the command line
    "dataset": ("isic2020", ["--dataset", "isic2020"]),
    "images": ("100000", ["--images", "100000"]),
    "megapixels": ("2.5", ["--megapixels", "2.5"]),
    "epochs": ("60", ["--epochs", "60"]),
    "tuningRuns": ("200", ["--tuning-runs", "200"]),
    "retrainDays": ("1", ["--retrain-days", "1"]),
    "budgetHours": ("24", ["--budget-hours", "24"]),
    "decodeCores": ("64", ["--decode-cores", "64"]),
    "decode": ("every-epoch", ["--decode", "every-epoch"]),
    "reference": ("cuda:0", ["--reference", "cuda:0"]),
    "devices": ("8", ["--devices", "8", "--efficiency", "0.9"]),
    "efficiency": ("0.7", ["--devices", "8", "--efficiency", "0.7"]),
    "price.0.0": ("0.4", ["--price", "affffff/cpu=0.4"]),
}


def command_line(capsys, folder: Path, options: list[str]) -> str:
    with pytest.raises(SystemExit) as left:
        main(["report", str(folder), "--format", "markdown", *options])
    streams = capsys.readouterr()
    assert left.value.code in {0, None}, streams.err
    return streams.out


def in_markdown(rows: list[list[str]], page: str) -> bool:
    """Whether the rows stand in a Markdown page, in this order, whatever its columns are padded with."""
    there = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    wanted = [[markdown(cell).strip() for cell in row] for row in rows]
    places = [there.index(row) if row in there else -1 for row in wanted]
    return min(places) >= 0 and places == sorted(places)


def first_price(options: list[str], visit: Visit) -> list[str]:
    """The option, with the machine of the page's first row."""
    machine = visit.page.evaluate("JSON.parse(document.getElementById('data').textContent).whatIf.groups[0].rows[0].machine")
    return [option.replace("affffff", machine) for option in options]


@needs_browser
@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_moves_the_figures_to_what_the_command_line_gives(visit, page, folder, capsys, control):
    value, options = CONTROLS[control]
    plain = visit.table("#days-0"), visit.table("#costs-0"), visit.page.locator("#assumed").inner_text()
    if control in {"devices", "efficiency"}:
        visit.set("efficiency", "0.9")
        visit.set("devices", "8")
    visit.set(control, value)
    days, costs = visit.table("#days-0"), visit.table("#costs-0")
    assert (days, costs, visit.page.locator("#assumed").inner_text()) != plain
    out = command_line(capsys, folder, first_price(options, visit))
    assert in_markdown(days, out)
    assert visit.page.locator("#what-if h3.title").first.inner_text() in out.replace("\\", "")
    if control == "price.0.0":
        assert in_markdown(costs, out)
    shared = visit.address().partition("#")[2]
    assert shared
    assert visit.said == []
    visit.open(page, f"#{shared}")
    assert (visit.table("#days-0"), visit.table("#costs-0")) == (days, costs)
    assert visit.said == []


@needs_browser
def test_prices_that_came_with_the_report_are_the_command_lines(tab, folder, capsys, tmp_path):
    prices = (
        Price("cpu", 0.1, "EUR", "2026-01-31", "a <b>list</b>"),
        Price("cuda:0", 2.9, "EUR", "2026-01-31", "another list"),
    )
    path = tmp_path / "page.html"
    path.write_text(page_of(two_machines(), Assumptions(prices=prices)), encoding="utf-8")
    tab.open(path)
    out = command_line(capsys, folder, ["--price", "cpu=0.1 EUR", "--price", "cuda:0=2.9 EUR"])
    assert in_markdown(tab.table("#costs-0"), out)
    assert "a <b>list</b>" in tab.page.locator("#what-if").inner_text()
    assert "It costs" in said_first(tab)
    assert said_first(tab) == said_of(Assumptions(prices=prices))
    tab.set("devices", "8")
    assert "parallel efficiency" in tab.page.locator("#fault").inner_text()
    tab.set("efficiency", "0.8")
    out = command_line(
        capsys, folder, ["--price", "cpu=0.1 EUR", "--price", "cuda:0=2.9 EUR", "--devices", "8", "--efficiency", "0.8"]
    )
    assert in_markdown(tab.table("#costs-0"), out)


def said_first(visit: Visit) -> str:
    return " ".join(visit.page.locator(".sentence").first.inner_text().split())


def said_of(assumptions: Assumptions) -> str:
    return " ".join(sentence(build(two_machines(), assumptions).groups[0], assumptions).split())


@needs_browser
@pytest.mark.parametrize(
    ("prices", "words"),
    [
        ((Price("cuda:0", 1e-6, "EUR"), Price("cpu", 5.0, "EUR")), "the least of the 3 with a price"),
        ((Price("cuda:0", 1e6, "EUR"), Price("cpu", 5.0, "EUR")), "and least,"),
        ((Price("cuda:0", 2.9, "EUR"),), "the only one with a price"),
        ((Price("cuda:0", 2.9, "EUR"), Price("cpu", 5.0, "USD")), ""),
    ],
)
def test_the_headline_names_what_the_fastest_costs_and_what_costs_least(tab, tmp_path, prices, words):
    wanted = said_of(Assumptions(prices=prices))
    assert words in wanted
    assert bool(words) == ("It costs" in wanted)
    path = tmp_path / "page.html"
    path.write_text(page_of(two_machines(), Assumptions(prices=prices)), encoding="utf-8")
    tab.open(path, "#budgetHours=4&images=10015")  # the same what-if, by way of the script
    tab.page.wait_for_function("document.body.dataset.updated")
    assert said_first(tab) == wanted


@needs_browser
def test_the_pipeline_follows_the_what_if(visit):
    visit.page.locator("#pipeline .chart").first.scroll_into_view_if_needed()
    visit.page.locator("#pipeline .chart svg").first.wait_for()
    visit.set("images", "500000")
    visit.set("decodeCores", "2")
    assumptions = Assumptions(dataset=adapted(DATASETS["ham10000"], 500_000), decode_cores=2)
    (wanted,) = pipelines(build(two_machines(), assumptions))
    visit.page.locator("#pipeline details.behind summary").first.click()
    figures = visit.page.locator("#pipeline figure table").first
    assert [[cell.inner_text() for cell in row.locator("th,td").all()] for row in figures.locator("tbody tr").all()] == [
        list(row) for row in wanted.table.rows
    ]
    assert visit.page.locator("#pipeline .chart").first.get_attribute("aria-label") == wanted.alt
    drawn = visit.page.locator("#pipeline .chart svg").first.text_content() or ""
    for row in wanted.spec["data"]["values"]:
        assert row.get("text", row.get("heading")) in drawn
    assert visit.said == []


ABSURD = [
    ("images", "-5"), ("images", "0"), ("images", "1.5"), ("images", ""), ("images", "1e300"), ("megapixels", "-1"), ("megapixels", "0"),
    ("epochs", "0"), ("epochs", "1e12"), ("tuningRuns", "-1"), ("retrainDays", "0"), ("retrainDays", "-3"), ("budgetHours", "-4"),
    ("budgetHours", ""), ("decodeCores", "0"), ("devices", "0"), ("devices", "8"), ("efficiency", "1.2"), ("efficiency", "-1"),
    ("price.0.0", "-2"),
]  # fmt: skip


@needs_browser
def test_what_makes_no_sense_is_one_sentence_and_changes_no_figure(visit):
    before = visit.table("#days-0"), visit.table("#costs-0")
    fault = visit.page.locator("#fault")
    for control, value in ABSURD:
        visit.set(control, value)
        assert fault.is_visible(), (control, value)
        assert "expected" in fault.inner_text() or "never assumed" in fault.inner_text()
        assert (visit.table("#days-0"), visit.table("#costs-0")) == before, (control, value)
        visit.page.locator("#controls button[type=reset]").click()
        assert not fault.is_visible()
    assert visit.said == []


# ---- in the browser -----------------------------------------------------------------------------------------------------


def with_trainings_to_quality() -> Record:
    """A record that has something for every picture."""
    curve = [
        Evaluation(
            epoch=epoch,
            steps=100 * epoch,
            seconds=10.0 * epoch,
            loss=1 / epoch,
            measures={"auc": 0.6 + 0.05 * epoch, "accuracy": 0.8},
        )
        for epoch in range(1, 6)
    ]
    case = fake.train(scenario="to-quality", targets={"auc": 0.8}, epochs=24)
    arriving = replace(
        fake.Script(case, 75.0), trials=3, change={"curve": curve, "test": {"auc": 0.82}, "images_per_sample": 1}
    )
    sweep = [fake.Script(fake.train("cuda", "cuda:0", batch_size=size), 3000.0 + 10 * size) for size in (64, 128)]
    sweep += [fake.Script(fake.train(batch_size=size), 70.0 + size / 10) for size in (64, 128)]
    return fake.record("quality", [*fake.scripts(), *sweep, arriving])


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    path = tmp_path_factory.mktemp("rich") / "page.html"
    first = with_trainings_to_quality()
    training = next(place for place, case in enumerate(first.cases) if case.phase == "train" and case.scenario == "")
    forecast = Forecast(case=training, epochs=5, predicted=102.0, low=95.0, high=110.0, measured=100.0)
    first = msgspec.structs.replace(first, forecasts=[forecast])
    path.write_text(page_of([first, *two_machines()[1:]]), encoding="utf-8")
    return path


KINDS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}


@needs_browser
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_quiet_asks_for_nothing_and_anyone_can_use_it(chromium, rich, kind, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    visit = Visit(chromium, rich, **KINDS[kind])
    assert visit.page.locator(".sentence").first.is_visible()
    picture = visit.page.locator(".headline .chart svg").first
    picture.wait_for()
    assert picture.bounding_box()["y"] < KINDS[kind]["viewport"]["height"], "the headline is on the first screen"
    assert visit.drawn() == visit.page.locator(".chart[data-drawn=yes]").count() > 12
    visit.page.screenshot(path=tmp_path / f"{kind}.png", full_page=True)
    assert (tmp_path / f"{kind}.png").stat().st_size > 50_000
    wide = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "nothing but tables scrolls sideways"
    assert visit.said == []
    assert visit.asked == []
    visit.close()
    watched = Visit(chromium, rich, **KINDS[kind], bypass_csp=True)  # axe is a script of its own
    watched.drawn()
    found = Axe().run(watched.page)
    assert [violation["id"] for violation in found.response["violations"]] == [], found.generate_report()
    watched.close()


@needs_browser
def test_it_prints_with_every_picture(chromium, rich, tmp_path):
    visit = Visit(chromium, rich, color_scheme="dark")
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    visit.drawn()
    visit.page.emulate_media(media="print")
    assert visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert not visit.page.locator("#controls").is_visible()
    assert visit.page.locator(".chart svg").count() == visit.page.locator(".chart").count()
    visit.page.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").stat().st_size > 50_000
    visit.page.screenshot(path=tmp_path / "print.png")
    visit.close()


def shown(visit: Visit) -> str:
    """Every text that is to be seen."""
    return str(visit.page.evaluate("document.body.innerText"))


@needs_browser
def test_after_a_what_if_no_word_of_the_page_is_of_another(chromium, folder, tmp_path):
    path = tmp_path / "page.html"
    prices = (Price("cuda:0", 2.9, "EUR", "2026-01-31", "a list"),)
    path.write_text(page_of(two_machines(), Assumptions(prices=prices)), encoding="utf-8")
    visit = Visit(chromium, path)
    assert not visit.page.locator("#active").is_visible()
    visit.set("dataset", "isic2020")
    visit.set("retrainDays", "1")
    first = visit.page.locator("[name^='price.0.']").first.get_attribute("name")
    assert first is not None
    visit.set(first, "7")
    assert visit.page.locator("#active").is_visible()
    assert "ISIC" in visit.page.locator(".headline figcaption").first.inner_text()
    notes = visit.page.locator(".cost-lines").first.inner_text()
    assert "7.00 an hour, as entered here" in notes
    assert "A year: a training every 1 days" in notes
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    visit.drawn()
    visit.page.emulate_media(media="print")
    text = shown(visit)
    assert "HAM10000" not in text
    assert "Data: ISIC" in text
    assert "10,015" not in text
    assert visit.said == []
    visit.close()


@needs_browser
def test_a_link_is_copied_with_the_what_if_after_the_page_was_walked(visit):
    visit.set("images", "77777")
    visit.page.locator("nav a", has_text="Training").click()
    assert "images" not in visit.address()
    visit.page.locator("#share").click()
    assert "#images=77777" in visit.address()


@needs_browser
def test_downloaded_cells_are_no_formulas(tab, tmp_path):
    gpu = msgspec.structs.replace(fake.GPU, name='-2 +HYPERLINK("http://e","a")&"')
    path = tmp_path / "page.html"
    path.write_text(page_of([fake.record(devices=[fake.CPU, gpu])]), encoding="utf-8")
    tab.open(path)
    tab.page.locator(".headline details.behind summary").first.click()
    with tab.page.expect_download() as download:
        tab.page.locator(".headline button.csv").first.click()
    download.value.save_as(tmp_path / "data.csv")
    text = (tmp_path / "data.csv").read_text(encoding="utf-8-sig")
    cells = [cell for line in csv.reader(text.splitlines()) for cell in line]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not any(cell.startswith(("=", "-2 +", "@")) for cell in cells)


@needs_browser
def test_without_scripts_the_headline_is_still_a_picture(chromium, page):
    context = patient(chromium.new_context(java_script_enabled=False))
    plain = context.new_page()
    plain.goto(page.as_uri())
    still = plain.locator("img.still").first
    assert still.is_visible()
    box = still.bounding_box()
    assert box is not None
    assert box["height"] > 80
    context.close()


@needs_browser
def test_keys_alone_reach_the_controls_and_the_tables(visit):
    seen = set()
    for _ in range(60):
        visit.page.keyboard.press("Tab")
        seen.add(
            visit.page.evaluate("document.activeElement.name || document.activeElement.getAttribute('aria-label') || ''")
        )
    assert {"images", "epochs", "devices", "price.0.0"} <= seen
    assert any(name.startswith("Days versus hours") for name in seen)


@needs_browser
def test_records_and_data_can_be_taken_along(visit, tmp_path):
    with visit.page.expect_download() as download:
        visit.page.locator("#evidence button.record").first.click()
    download.value.save_as(tmp_path / NAME)
    assert read_record(tmp_path) == two_machines()[0]
    visit.page.locator(".headline details.behind summary").first.click()
    with visit.page.expect_download() as download:
        visit.page.locator(".headline button.csv").first.click()
    download.value.save_as(tmp_path / "data.csv")
    assert "one training" in (tmp_path / "data.csv").read_text(encoding="utf-8-sig")


@needs_browser
def test_a_hostile_record_runs_nothing(chromium, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page_of([hostile()]), encoding="utf-8")
    visit = Visit(chromium, path)
    alerts: list[str] = []
    visit.page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    visit.drawn()
    for fragment in (
        f"#images=100&reference={HOSTILE}",
        "#price.0.0=<img src=x onerror=alert(3)>",
        "#__proto__=1&dataset=__proto__",
        "#%E0%A4%A",
        "#images=banana&devices=1e999&megapixels=-0",
    ):
        visit.go_to(fragment)
        assert visit.page.locator("#fault").is_visible()
    assert alerts == []
    assert visit.said == []  # nor did the policy have to stop anything
    assert visit.asked == []
    visit.close()


@needs_browser
def test_a_page_of_forty_machines_answers(tab, tmp_path):
    records = [fake.record(f"r{number}", on=fake.machine(f"{number:03d}"), seed=number) for number in range(40)]
    path = tmp_path / "page.html"
    path.write_text(page_of(records), encoding="utf-8")
    tab.open(path)
    tab.set("images", "50000")
    rows = tab.table("#days-0")
    assert len(rows) == 80
    wanted = headline(
        build(records, Assumptions(dataset=adapted(find_dataset("ham10000"), 50_000))).groups[0],
        build(records, Assumptions(dataset=adapted(find_dataset("ham10000"), 50_000))),
    )
    assert wanted.table is not None
    assert rows == [list(row) for row in wanted.table.rows]


@needs_browser
def test_the_repositorys_own_results_answer_a_new_user(tab, tmp_path):
    """Which device, how long, how sure, what it costs."""
    path = tmp_path / "page.html"
    records = [read_record(found) for found in find_records(RESULTS)]
    path.write_text(page_of(records), encoding="utf-8")
    tab.open(path)
    said = tab.page.locator(".sentence").first.inner_text()
    assert re.search(r"One training takes [\d.,]+\s(s|min|h|days)", said)
    assert re.search(r"± [\d.]+ %|\(.* to .*\)", said.replace("\u00a0", " "))
    tab.set("price.0.0", "0.1")
    assert re.search(r"\d", tab.table("#costs-0")[0][2])
    assert tab.said == []


def test_the_format_is_on_offer(folder, capsys, tmp_path):
    with pytest.raises(SystemExit) as left:
        main(["report", str(folder), "-o", str(tmp_path / "page.html")])
    assert left.value.code in {0, None}
    assert (tmp_path / "page.html").read_text(encoding="utf-8").lstrip().startswith("<!doctype html>")
    assert render(build(two_machines()), "html").lstrip().startswith("<!doctype html>")
