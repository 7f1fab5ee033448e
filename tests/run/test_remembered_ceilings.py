"""Which ceilings are kept for later runs."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest

from bench.machine.other_work import OtherWork
from bench.run.journal import Ceilings, Journal
from bench.run.progress import Progress
from bench.run.runner import Runner
from bench.worker.answers import Reached
from tests.run.test_within import plan_of
from tests.support import records as fake

EXAMPLE = fake.record(wanted=[fake.Script(fake.train(), 20.0, trials=3)])
FOUND = [Reached(kind="arithmetic", rate=1e12, shape="a product")]


class Measured(Runner):
    """A runner whose workers have just measured a ceiling."""

    asked = 0

    def launch(self, *args, **named):
        return None

    def _work(self, *args, **named):
        type(self).asked += 1
        return [SimpleNamespace(status="ok", value=msgspec.json.encode(FOUND), started="2026-11-28T12:00:00+00:00")]


@pytest.mark.parametrize(("busy", "physical", "times"), [(False, "host", 1), (True, "host", 2), (True, "gpu:0", 1)])
def test_a_ceiling_of_a_processor_that_others_used_is_measured_again(monkeypatch, tmp_path, busy, physical, times):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(OtherWork, "busy", lambda self: busy)
    monkeypatch.setattr(Measured, "asked", 0)
    plan = plan_of(EXAMPLE, ceilings=True)
    cases = [msgspec.structs.replace(p, backend=p.workload, physical=physical) for p in plan.cases]
    plan = msgspec.structs.replace(plan, cases=cases)
    for number in range(2):
        journal = Journal.create(tmp_path / str(number), plan)
        runner = Measured(plan, journal, {}, Progress(0, quiet=True))
        runner._measure_ceilings()
        (entry,) = journal.entries
        assert isinstance(entry, Ceilings)
        assert [ceiling.rate for ceiling in entry.ceilings] == [1e12]
    assert Measured.asked == times
