"""A layer that a backend lacks is named by every command alike, before anything is built where the backend says which it has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.record.schema import Trial
from bench.run.journal import Done, Skipped
from bench.run.process import Outcome
from bench.run.progress import Progress
from bench.run.runner import Runner
from bench.worker.channel import Failure
from bench.worker.offered import backend_fault
from tests.support.records import train
from tests.support.site import bench, install

LEAN = """
from bench.contract import hookimpl
from bench.spec import Flatten
from misbehaving_plugin import Misbehaving

class Lean(Misbehaving):
    name = "lean"
    layers = (Flatten,)

    def trainer(self, *given):
        raise AssertionError("nothing is built for what is known to be missing")

    predictor = trainer

@hookimpl
def bench_backends():
    return [Lean()]
"""
LACKS = "lean has no Dense ('hidden')"
WHAT = ["--workload", "dots", "--size", "small", "--backend", "lean"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["list"], 0, f"    skipped: {LACKS}"),
        (["run", *WHAT, "--dry-run", "--phase", "train"], 4, f"nothing can be measured here: test:0 dots-small: {LACKS}"),
        (
            ["run", *WHAT, "--backend", "misbehaving", "--dry-run", "--precision", "float64", "--phase", "train"],
            0,
            f"skipped: test:0 dots-small: {LACKS}",
        ),
        (["verify", *WHAT], 4, LACKS),
        (["train", *WHAT[:-1], "lean", "--precision", "float64"], 4, f"skipped: {LACKS}"),
    ],
    ids=["list", "run", "dry run", "verify", "train"],
)
def test_every_command_names_it_alike(tmp_path, site, words, code, said):
    install(site, "lean", {"lean": "lean_plugin"}, {"lean_plugin": LEAN})
    done = bench(words, tmp_path, site)
    assert said in done.stdout + done.stderr
    assert done.returncode == code
    if "misbehaving" in words:
        assert (
            "layers: misbehaving does not say which layers there are; one that lacks shows when a case is built"
            in done.stdout
        )


class Scripted(Runner):
    """A runner all of whose workers end for a layer that the backend lacks."""

    def __init__(self, earlier: list[Trial]) -> None:
        self.plan: Any = SimpleNamespace(cases=[SimpleNamespace(case=train())], trials=3)
        self.kept: list[Any] = []
        self.journal: Any = SimpleNamespace(add=self.kept.append, trials=earlier, next_order=1)
        self.progress = Progress(1, quiet=True)

    def trial_job(self, index: int, number: int, pilot: Any) -> Any:
        return SimpleNamespace(case=train())

    def launches(self, *given: Any) -> Any:
        return []

    def _work(self, *given: Any, **named: Any) -> list[Outcome]:
        lacking = Failure("unsupported", "no LayerNorm ('norm')")
        return [Outcome(status="failed", started="", wall=1.0, reason=lacking.message, failure=lacking)]


@pytest.mark.parametrize(
    ("pilot", "earlier", "kept"),
    [
        (None, [], Skipped),
        (None, [SimpleNamespace(case=0, role="pilot", status="ok", number=0)], Done),
        (object(), [], Done),
    ],
    ids=["the first trial", "a later trial", "after a pilot"],
)
def test_what_an_earlier_process_could_do_is_not_lacking(pilot: Any, earlier: Any, kept: type):
    """A trial that is missing without a word made a run of exit code 0; one that failed makes it 6."""
    runner = Scripted(earlier)
    runner._trial(0, 1, pilot)
    (entry,) = runner.kept
    assert type(entry) is kept
    if isinstance(entry, Done):
        assert (entry.trial.status, entry.trial.reason) == ("failed", "no LayerNorm ('norm')")


@pytest.mark.parametrize("layers", ["Dense", (str,), (1,), {}])
def test_layers_that_are_none_are_refused(layers: Any):
    backend = SimpleNamespace(name="x", probe=len, trainer=len, predictor=len, layers=layers)
    fault = backend_fault(backend)
    assert fault == ("" if not layers else f"layers are {layers!r}, expected classes of bench.spec, as (Conv2d, Dense)")
