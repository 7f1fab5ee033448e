"""``bench reproduce``: the same cases again, from a record, as real processes."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from bench.cli.reproduce import _verdicts
from bench.record.files import NAME, read_record, write_record
from bench.record.schema import Place
from bench.run.again import LABEL, _lacking
from bench.run.discovery import Discovery
from tests.support import records as fake
from tests.support.site import bench, install_misbehaving

RUN = [
    "run", "--workload", "dots", "--size", "small", "--backend", "misbehaving", "--precision", "float64", "--seconds", "0.1", "--trials", "3",
    "--phase", "train", "--no-ceilings", "--quiet",
]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    install_misbehaving(folder)
    return folder


@pytest.fixture(scope="module")
def recorded(site, tmp_path_factory):
    """A folder with one small run, and the run's own folder."""
    folder = tmp_path_factory.mktemp("recorded")
    done = bench(RUN, folder, site)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (folder / "bench-results").iterdir()
    return folder, run


def test_the_same_cases_run_again_and_are_held_against_the_record(recorded, site):
    folder, run = recorded
    done = bench(["reproduce", str(run), "--within", "900", "--quiet", "-o", "again"], folder, site)
    assert done.returncode in {0, 3, 5}, done.stdout + done.stderr  # how fast it is today depends on who else is here
    assert "rates agree within 900 %" in done.stdout
    (again,) = (folder / "again").iterdir()
    old, new = read_record(run), read_record(again)
    assert new.labels == {LABEL: old.id}
    alike = {"environment": {}, "chosen": ""}
    assert [msgspec.structs.replace(case, **alike) for case in new.cases] == [
        msgspec.structs.replace(case, **alike) for case in old.cases
    ]
    assert new.data == old.data
    assert len(new.trials) == len(old.trials)


@pytest.mark.parametrize(
    ("pace", "within", "code", "word"),
    [(1.0, 10.0, 0, "agrees: "), (0.7, 10.0, 5, "lower: "), (1.5, 10.0, 3, "higher: "), (1.0, 0.001, 3, "cannot tell: ")],
)
def test_rates_agree_or_do_not(pace, within, code, word):
    """Whole records, several cores of preprocessing among them."""
    slower = [replace(script, rate=script.rate * pace) for script in fake.scripts()]
    lines, found = _verdicts(fake.record(), fake.record("again", slower, seed=8, on=fake.machine("b")), within)
    assert found == code
    assert sum(line.startswith(word) for line in lines) >= len(fake.scripts()) - 1
    assert f"of {len(fake.scripts())} rates agree within {within:g} %" in lines[-1]
    assert "these two runs" in lines[-1]


def test_a_case_of_another_host_is_named_as_such():
    case = fake.train(places=(Place("cpu", 1, "node2"),))
    assert _lacking(case, Discovery([], [], [], {})) == "a case on host 'node2' cannot be repeated from here"


def test_single_trials_and_unproven_rates_tell_nothing():
    single = fake.record("again", [replace(script, trials=1) for script in fake.scripts()])
    assert _verdicts(fake.record(), single, 10.0)[1] == 3
    broken = fake.record("again", [replace(script, checks=fake.FAILED) for script in fake.scripts()])
    assert _verdicts(fake.record(), broken, 10.0)[1] == 4


def test_what_cannot_run_here_is_said(recorded, site):
    folder, run = recorded
    old = read_record(run)
    elsewhere = msgspec.structs.replace(old, cases=[msgspec.structs.replace(case, backend="tpu") for case in old.cases])
    (folder / "elsewhere").mkdir()
    write_record(elsewhere, folder / "elsewhere" / NAME)
    done = bench(["reproduce", "elsewhere"], folder, site)
    assert done.returncode == 4
    assert "the backend tpu is not installed" in done.stderr
    real = msgspec.structs.replace(
        old, data=[msgspec.structs.replace(old.data[0], synthetic=False, description="somebody's images")]
    )
    (folder / "real").mkdir()
    write_record(real, folder / "real" / NAME)
    done = bench(["reproduce", "real"], folder, site)
    assert done.returncode == 2
    assert "give the same images with --data" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"), [(["--within", "0"], "--within 0 is not possible"), (["--seconds", "-1"], "-1 seconds per trial")]
)
def test_wrong_use_is_one_sentence(recorded, site, options, words):
    folder, run = recorded
    done = bench(["reproduce", str(run), *options], folder, site)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.startswith("bench: ")
