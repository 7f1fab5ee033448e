"""``bench report --format html``: one file that explains itself, works offline, and answers what-if questions.

It loads nothing: scripts, styles, data and pictures' specifications are in it, and a content security policy allows no other
script than those by their hashes. Pictures are drawn by Vega-Lite with its expression interpreter, so that nothing is evaluated
as code.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from bench.analysis.model import ABOVE_CEILING, MARKS, SLOWING, UNJUDGED, UNPROVEN, MeasuredCase, Report
from bench.errors import UsageError
from bench.record.files import sealed
from bench.record.forecasts import FEWEST, account
from bench.record.schema import Record
from bench.report import cells
from bench.report.charts.chart import DARK, LIGHT, Chart
from bench.report.charts.pictures import charts, converter, picture
from bench.report.charts.times import sentence, subject
from bench.report.document import ASSUMPTIONS, assumption_lines, document_parts
from bench.report.energy import TRAINING
from bench.report.page.payload import MOST_ROWS, payload
from bench.statistics.rates import Estimate
from bench.text.sections import Section
from bench.text.words import clean, plural

_PARTS = {
    "nodes": "Nodes side by side",
    "training": "Training",
    "inference": "Inference",
    "energy": "Energy",
    "belief": "Can I believe it?",
    "evidence": "Evidence",
}


_LARGEST = 2_900_000
"""Bytes of a page, so that it travels by e-mail: it carries as many of its records as fit."""

_DATA = "{{data}}"

_WIDE = 2.0
"""From the low to the high end of an interval, times: more is no answer to how long."""


@dataclass(frozen=True)
class Attachment:
    """A sealed record that the page carries along, gzipped."""

    id: str
    content: bytes


class Attachments:
    """Collects records on their way into a report, as many as a page can carry."""

    def __init__(self) -> None:
        self.kept: list[Attachment] = []
        self.left_out = 0
        self._room = _LARGEST
        self._seen: set[str] = set()

    def passing(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records themselves, unchanged; each is kept once."""
        for record in records:
            if record.id not in self._seen:
                self._seen.add(record.id)
                self._keep(record)
            yield record

    def _keep(self, record: Record) -> None:
        content = gzip.compress(sealed(record), 6, mtime=0) if self._room > 0 else b""
        if self._room > 0 and len(content) <= self._room:
            self._room -= len(content)
            self.kept.append(Attachment(record.id, content))
        else:
            self._room = 0  # the first ones are all there, rather than a choice of small ones
            self.left_out += 1


class HtmlReporter:
    """A self-contained page."""

    name = "html"

    def __init__(self, attachments: Attachments | None = None) -> None:
        self._attachments = Attachments() if attachments is None else attachments

    def render(self, report: Report) -> str:
        """The page. Raises UsageError where Jinja or vl-convert is missing."""
        try:
            import jinja2
        except ImportError:
            raise UsageError("pages need Jinja; pip install jinja2") from None
        from markupsafe import Markup

        environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(_file),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["marked"] = _marked
        pictures, sections = charts(report), document_parts(report)
        scripts = [library(), _file("projection.js"), _file("page.js")]
        data = {
            "whatIf": payload(report),
            "charts": {chart.name: chart.spec for chart in pictures},
            "marks": dict(MARKS.values()),
        }
        page = environment.get_template("page.html.j2").render(
            policy=_policy(scripts),
            scripts=[Markup(script) for script in scripts],
            style=Markup(_variables() + _file("style.css")),
            data=Markup(_DATA),
            summary=_summary(report),
            machines=len(report.machines),
            groups=_groups(report, pictures, sections),
            whatif=data["whatIf"],
            pictures=pictures,
            warm_ups=[chart for chart in pictures if chart.name.startswith("warm-up")],
            parts=[
                (key, title, [one for one in sections.get(key, []) if _is_still(one)])
                for key, title in sorted(_PARTS.items(), key=lambda part: not report.groups and part[0] != "inference")
                if key != "nodes" or key in sections
            ],
            beliefs=_beliefs(report),
            most_rows=MOST_ROWS,
            assumed=list(assumption_lines(report)),
            unheld=[] if report.groups else sections.get("headline", []),
        )
        room = _LARGEST - len(page.encode()) - len(_inert(data))
        before, _, after = page.partition(_DATA)
        return before + _inert(data | self._attached(room)) + after

    def _attached(self, room: int) -> dict[str, Any]:
        """The first records, as many as fit into so many bytes."""
        records = []
        for found in self._attachments.kept:
            record = {"id": found.id, "gzip": base64.b64encode(found.content).decode()}
            room -= len(_inert(record)) + 1
            if room < 0:
                break
            records.append(record)
        return {"records": records, "leftOut": len(self._attachments.kept) - len(records) + self._attachments.left_out}


@lru_cache(maxsize=1)
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed with its expression interpreter as one script. Raises UsageError."""
    bundle = str(converter().javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(scripts: Sequence[str]) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def _variables() -> str:
    light, dark = (";".join(f"--{name}:{colour}" for name, colour in colours.items()) for colours in (LIGHT, DARK))
    return f":root{{color-scheme:light dark;{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"


def _inert(data: Any) -> str:
    """JSON that no HTML parser takes for markup."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _marked(cell: str) -> Any:
    """A cell with the marks at its end explained where they stand."""
    from markupsafe import Markup, escape

    text, _, last = cell.rpartition(" ")
    signs = dict(MARKS.values())
    if text and last and all(sign in signs for sign in last):
        shown = Markup("").join(Markup('<abbr title="{}">{}</abbr>').format(signs[sign], sign) for sign in last)
        return escape(text) + Markup(" ") + shown
    return escape(cell)


def _is_still(section: Section) -> bool:
    """Whether a section says the same whatever is assumed; those that do not stand in the what-if, once."""
    return section.title != ASSUMPTIONS and not section.title.startswith(TRAINING)


def _groups(report: Report, pictures: Sequence[Chart], sections: Mapping[str, Sequence[Section]]) -> list[dict[str, Any]]:
    headlines = sections.get("headline", [])[: len(report.groups)]  # a table per network comes first
    costs = {section.title: section.lines for section in sections.get("cost", [])}
    pictured = [chart for chart in pictures if chart.part == "headline"]
    return [
        {
            "name": cells.group_name(group, report.groups),
            "subject": subject(group, report.assumptions),
            "sentence": sentence(group, report.assumptions),
            "section": section,
            "cost_lines": costs.get(f"What it costs: {cells.group_name(group, report.groups)}", ()),
            "chart": chart,
            "still": base64.b64encode(picture(chart, "svg")).decode(),  # for readers whose scripts are off, as in most mail
            "rows": len(group.rows),
        }
        for group, section, chart in zip(report.groups, headlines, pictured, strict=True)
    ]


def _summary(report: Report) -> str:
    machines = plural(len({line.machine for line in report.records}), "machine")
    days = sorted(clean(line.created[:10], 10) for line in report.records)
    when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    return f"{plural(len(report.records), 'record')} of {machines}, measured {when}"


Belief = tuple[str, bool | None, str]
"""A question, whether all is well or None where nobody can tell, and the answer."""


def _beliefs(report: Report) -> list[Belief]:
    """Answer the questions that decide whether the figures can be believed."""
    return [_computation(report), _physics(report), _spread(report), _forecast(report), _quiet(report), _whole(report)]


def _rated(report: Report) -> list[MeasuredCase]:
    return [case for case in (*report.measured, *report.to_quality) if case.log is not None]


def _computation(report: Report) -> Belief:
    networks = [case for case in _rated(report) if not case.key.how.on_host]
    broken = [case for case in networks if case.broken]
    proven = [case for case in networks if not case.broken and UNPROVEN not in case.marks]
    answer = f"{len(proven):,} of {plural(len(networks), 'rate')} of training and inference passed every check that could be judged inside their trials against a float64 reference"
    unsure = sum(UNJUDGED in case.marks for case in proven)
    if unsure:
        answer += f"; {unsure:,} of them, marked ◇, had checks that could not be judged, and stand on what is named below"
    if broken:
        answer += f"; {plural(len(broken), 'case')} failed one, marked ‡ where it stands, and counts in no projection"
    return "Same computation?", len(proven) == len(networks) if networks else None, answer


def _physics(report: Report) -> Belief:
    rated = _rated(report)
    above = [case for case in rated if ABOVE_CEILING in case.marks]
    held = [case for case in rated if case.of_ceiling is not None or case.of_copying is not None]
    if not held:
        return "Within physics?", None, "no ceilings were measured, so no rate was held against what the hardware can do"
    answer = f"{len(held):,} of {plural(len(rated), 'rate')} were held against measured ceilings of arithmetic, memory and copying; "
    return (
        "Within physics?",
        not above,
        answer + (f"{len(above):,} came out above, marked ▲" if above else "none came out above one"),
    )


def _spread(report: Report) -> Belief:
    single = [case for case in _rated(report) if len(case.log_times) < 2]
    several = sum(case.log is not None and case.log.over == "records" for case in _rated(report))
    answer = "95 % intervals over fresh processes in random order, within one run"
    if several:
        answer = (
            f"95 % intervals over records for {plural(several, 'rate')}, over fresh processes within one run for the others"
        )
    widths = [width for group in report.groups for row in group.rows if (width := _width(row.best.projection.training))]
    if widths:
        answer += (
            f"; the widest of one training's times spans a factor of {max(widths):.3g}, the narrowest of {min(widths):.3g}"
        )
    if single:
        answer += f"; {plural(len(single), 'rate')} of a single trial, marked ¹, without an interval"
    return "How sure?", not single and max(widths, default=1.0) <= _WIDE, answer


def _width(time: Estimate) -> float | None:
    return None if time.low is None or time.high is None or time.low <= 0 else time.high / time.low


def _forecast(report: Report) -> Belief:
    question = "Do its forecasts hold?"
    if not report.forecasts:
        return question, None, "bench forecast-check predicts whole trainings and then does them; these records hold none"
    told = account([forecast for _, forecast in report.forecasts])
    few = f"; fewer than {FEWEST} are too few to judge by" if told.as_promised is None else ""
    return question, told.as_promised, (
        f"{plural(told.count, 'training')} ({_kinds(report)}, from memory) predicted and then done: off by {100 * told.median_error:.1f} % in the median and "
        f"{100 * told.worst_error:.1f} % at worst, {told.covered:,} inside the 95 % interval{few}"
    )  # fmt: skip


def _kinds(report: Report) -> str:
    """Name the networks and precisions that were forecast."""
    return ", ".join(sorted({f"{cells.network(case)} in {clean(case.key.precision, 20)}" for case, _ in report.forecasts}))


def _quiet(report: Report) -> Belief:
    findings = sum(finding.severity == "warning" for machine in report.machines.values() for finding in machine.findings)
    disturbed = sum(case.disturbed for case in _rated(report))
    parts = [f"bench doctor gave {plural(findings, 'warning')} on the machines"] if findings else []
    slowing = sum(SLOWING in case.marks for case in _rated(report))
    parts += [f"{plural(slowing, 'case')} slowing down, marked ↗"] if slowing else []
    parts += [f"{plural(disturbed, 'trial')} disturbed, each case marked † where it stands"] if disturbed else []
    if parts:
        return "A quiet machine?", False, f"{'; '.join(parts)}; all listed below"
    return "A quiet machine?", True, "bench doctor found nothing to warn of, and nothing is known to have disturbed a trial"


def _whole(report: Report) -> Belief:
    failed = sum(remark.count for remark in report.failures)
    unfinished = sum(not line.complete for line in report.records)
    parts = [f"{plural(failed, 'trial')} failed, listed below"] if failed else []
    parts += ["a record holds what cannot have been measured, listed below"] if report.impossible else []
    parts += [f"{plural(unfinished, 'record')} sealed after an interruption, with trials missing"] if unfinished else []
    return "Did everything run?", not parts, "; ".join(parts) or "every trial ended well"
