"""Golden files: written, read, refused; and those that ship are still what the specification says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from bench.contract import Workload
from bench.errors import SpecError
from bench.spec import Schedule
from bench.testing import kit_workloads
from bench.verify import golden as golden_module
from bench.verify.golden import checked_golden, make_golden, read_golden, write_golden
from workloads.melanoma import bench_workloads

KIT = kit_workloads()[0]


@pytest.fixture
def shipped(tmp_path: Path) -> Workload:
    """A workload with a golden file."""
    workload = replace(KIT, golden=tmp_path / "golden" / "kit.json")
    write_golden(make_golden(workload, draws=1), workload.golden)
    return workload


def test_a_file_reads_back_as_it_was_made(shipped: Workload):
    assert read_golden(shipped.golden) == make_golden(shipped, draws=1)
    assert len(shipped.golden.read_text().splitlines()) == len(golden_module.Golden.__struct_fields__) + 2


def test_a_file_that_fits_is_used(shipped: Workload):
    golden, batches = checked_golden(shipped)
    assert golden == read_golden(shipped.golden)
    assert len(batches) == len(golden.losses) == 5


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda workload: replace(workload, seed=8), "the workload of kit-residual-kit"),
        (
            lambda workload: replace(workload, optimizer=replace(workload.optimizer, schedule=Schedule(1.0))),
            "the workload of",
        ),
    ],
)
def test_another_workload_is_refused(shipped: Workload, change, what: str):
    with pytest.raises(SpecError, match=what):
        checked_golden(change(shipped))


@pytest.mark.parametrize(
    ("field", "what"), [("weights_digest", "the initial weights of"), ("batches_digest", "the batches of")]
)
def test_other_weights_or_batches_are_refused(shipped: Workload, field: str, what: str):
    write_golden(msgspec.structs.replace(read_golden(shipped.golden), **{field: "0" * 64}), shipped.golden)
    with pytest.raises(SpecError, match=what):
        checked_golden(shipped)


def test_damage_and_versions_are_named(shipped: Workload):
    good = shipped.golden.read_bytes()
    shipped.golden.write_bytes(good[:-50])
    with pytest.raises(SpecError, match=r"kit\.json is damaged"):
        checked_golden(shipped)
    write_golden(msgspec.structs.replace(msgspec.json.decode(good, type=golden_module.Golden), version=99), shipped.golden)
    with pytest.raises(SpecError, match="has version 99, expected 1"):
        checked_golden(shipped)
    with pytest.raises(SpecError, match=r"cannot read golden file none\.json"):
        read_golden(Path("none.json"))


def test_without_a_file_it_is_made_once(monkeypatch: pytest.MonkeyPatch):
    made = []
    monkeypatch.setattr(golden_module, "_made", {})
    monkeypatch.setattr(golden_module, "make_golden", lambda w, draws: made.append(w) or make_golden(w, draws=1))
    first, second = checked_golden(KIT)[0], checked_golden(KIT)[0]
    assert first is second
    assert len(made) == 1


def test_envelopes_grow_as_precision_falls():
    golden = make_golden(KIT, draws=3)
    widths = [golden.envelopes[precision].losses for precision in ("fp32", "tf32", "bf16")]
    for one, next_ in pairwise(widths):
        assert all(a < b for a, b in zip(one, next_, strict=True))
    for width in widths:
        assert width == sorted(width)


SIZES = {workload.size: workload for workload in bench_workloads()}


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_shipped_files_fit_their_workloads(size: str):
    golden, _ = checked_golden(SIZES[size])
    assert golden.workload == "melanoma"
    assert set(golden.envelopes) == {"fp32", "tf32", "bf16"}


def test_the_tiny_file_is_what_the_oracle_says_today():
    made, shipped = make_golden(SIZES["tiny"], draws=0), read_golden(SIZES["tiny"].golden)
    assert made.losses == pytest.approx(shipped.losses, rel=1e-12)
    for found, expected in zip(made.fingerprints, shipped.fingerprints, strict=True):
        assert list(found) == list(expected)
        for name, pair in expected.items():
            assert found[name] == pytest.approx(pair, rel=1e-9, abs=1e-12)
    for found, expected in zip(made.predictions + made.calibrated, shipped.predictions + shipped.calibrated, strict=True):
        assert found == pytest.approx(expected, rel=1e-9)
