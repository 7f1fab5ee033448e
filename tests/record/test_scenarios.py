"""The scenario table: a new row is planned, measured, recorded, reported and compared, and an unknown one never runs as another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bench.analysis.build import build
from bench.comparison.compare import compare
from bench.comparison.history import history
from bench.entry_points import PluginRef
from bench.errors import RecordError
from bench.record.files import decode_record, read_record, sealed, write_record
from bench.record.scenarios import SCENARIOS, Scenario
from bench.record.schema import Case
from bench.report.formats import BUILT_IN, render
from bench.run.plan import Wishes, plan_cases
from bench.run.runner import settled_case
from bench.worker import measure as module
from bench.worker.answers import RankResult
from bench.worker.jobs import Job, Measure
from bench.worker.workbench import Workbench
from tests.run.test_plan import CPU, WORKLOAD
from tests.support.records import Script, record, scripts, single_stream

BURST = Scenario(
    phase="infer", name="burst", worker=f"{__name__}:measure_burst", builds="predictor", batch="one", usual=False
)


def measure_burst(bench: Workbench) -> RankResult:
    return RankResult(stages={}, lowering=f"a burst of {bench.job.case.batch_size}")


@pytest.fixture
def burst(monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setitem(SCENARIOS, ("infer", "burst"), BURST)
    return single_stream(scenario="burst")


def test_a_new_row_is_planned_where_it_is_asked_for(burst: Case):
    def planned(*scenarios: str) -> list[str]:
        cases, _ = plan_cases(Wishes(phases=("infer",), precisions=("fp32",), scenarios=scenarios), [CPU], [WORKLOAD])
        return [one.case.scenario for one in cases]

    assert "burst" not in planned()
    assert planned("burst") == [*planned(), "burst"]


def test_a_new_row_is_measured_by_its_own_module(burst: Case, monkeypatch: pytest.MonkeyPatch):
    job = Measure(case=burst, backend=None, workload=PluginRef("w", "w"), prepared="", cache=None, seconds=1.0, seed=0)
    assert msgspec.json.decode(msgspec.json.encode(job), type=Job) == job
    anything: Any = SimpleNamespace(stage=lambda name: None)
    monkeypatch.setattr(module, "set_up", lambda job, channel: Workbench(job, anything, anything, None))
    assert module.measure(job, anything).lowering == "a burst of 1"
    assert settled_case(burst, None) == burst


def test_a_new_row_is_recorded_reported_and_compared(burst: Case, tmp_path):
    one = record("one", [*scripts(), Script(burst, 90.0)])
    write_record(one, tmp_path / "record.json")
    assert read_record(tmp_path / "record.json") == one
    report = build([one])
    assert [case.log.n for case in report.measured if case.key.scenario == "burst" and case.log] == [5]
    assert all("burst" in render(report, reporter.name) for reporter in BUILT_IN)
    compared = compare([one], [record("two", [Script(burst, 90.0)], seed=1)]).cases
    assert [case.label for case in compared if case.figures is not None] == [burst.label]
    assert any("burst" in line.label for line in history([one]))


@pytest.mark.parametrize(("phase", "scenario"), [("infer", "burst"), ("train", "offline"), ("guess", "")])
def test_an_unknown_scenario_is_refused_and_runs_as_no_other(phase: str, scenario: str):
    with pytest.raises(ValueError, match="unknown scenario"):
        single_stream(phase=phase, scenario=scenario)
    body = sealed(record(wanted=[Script(single_stream(), 90.0)]))
    body = body.replace(b'"phase":"infer","scenario":"single-stream"', f'"phase":"{phase}","scenario":"{scenario}"'.encode())
    with pytest.raises(RecordError, match="SHA-256"):
        decode_record(body, "edited")
    job = b'{"job":"measure","case":{"backend":"cpu","places":[{"device":"cpu"}],"workload":"w","size":"s","phase":"%s","scenario":"%s"}}'
    with pytest.raises(msgspec.ValidationError, match="unknown scenario"):
        msgspec.json.decode(job % (phase.encode(), scenario.encode()), type=Job)
