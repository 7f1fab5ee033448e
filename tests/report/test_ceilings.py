"""Which ceiling a case comes nearest to, and what is said of it."""

from __future__ import annotations

import msgspec
import pytest

from bench.analysis.build import build
from bench.report.ceilings import binding_lines, bound_by, nearest
from bench.report.formats import render
from tests.support import records as fake

TRAIN = fake.Script(fake.train("cuda", "cuda:0"), 40_000)


def only(script, **changes):
    (case,) = build([fake.record(wanted=[script], **changes)]).measured
    return case


def test_the_nearest_ceiling_binds():
    case = only(TRAIN)
    assert case.of_ceiling == pytest.approx(40_000 * fake.SMALL.training_flops / 48e12, rel=0.05)
    assert case.of_memory == pytest.approx(40_000 * 4 * (3e6 + 3 * fake.SMALL.parameters / 32) / 4e12, rel=0.05)
    assert bound_by(case) == "arithmetic"


def test_a_batch_of_one_is_bound_by_reading_its_weights():
    case = only(fake.Script(fake.infer("cuda", "cuda:0", batch_size=1), 60_000))
    assert case.of_memory == pytest.approx(60_000 * 4 * (1e6 + fake.SMALL.parameters) / 4e12, rel=0.05)
    assert bound_by(case) == "memory"


def test_below_half_of_every_ceiling_none_binds():
    case = only(fake.Script(fake.train("cuda", "cuda:0"), 4_000))
    assert nearest(case)[0] == "arithmetic"
    assert bound_by(case) == "none"
    report = build([fake.record(wanted=[fake.Script(fake.train("cuda", "cuda:0"), 4_000)])])
    assert any(line.startswith("Below half") for line in binding_lines(report))


def test_memory_beyond_its_ceiling_was_caches():
    slow_memory = [
        msgspec.structs.replace(ceiling, rate=1e11) if ceiling.kind == "memory" else ceiling
        for ceiling in fake.record().ceilings
    ]
    case = only(TRAIN, ceilings=slow_memory)
    assert case.of_memory > 5
    assert bound_by(case) == "arithmetic"
    assert case.valid
    (line,) = binding_lines(build([fake.record(wanted=[TRAIN], ceilings=slow_memory)]))
    assert "from caches" in line


def test_records_without_elements_have_no_share_of_memory():
    facts = msgspec.structs.replace(fake.SMALL, forward_elements=0, training_elements=0)
    record = fake.record(wanted=[TRAIN])
    (case,) = build([msgspec.structs.replace(record, workloads=[facts])]).measured
    assert case.of_memory is None


def test_without_ceilings_nothing_binds():
    case = only(TRAIN, ceilings=[])
    assert bound_by(case) is None
    assert "What binds" not in render(build([fake.record(wanted=[TRAIN], ceilings=[])]), "markdown")


def test_cores_are_held_against_one():
    one, four = fake.Script(fake.preprocess(1), 100), fake.Script(fake.preprocess(4), 320)
    lines = binding_lines(build([fake.record(wanted=[one, four])]))
    assert any("4 cores: 80" in line and line.endswith("cores bind.") for line in lines)
