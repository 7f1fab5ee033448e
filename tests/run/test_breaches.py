"""A plugin that breaks its contract is one sentence with the right exit code, in every command that meets it."""

from __future__ import annotations

import pytest

from bench.errors import PluginError
from bench.run import session
from bench.run.process import Outcome
from bench.worker.channel import Failure
from bench.worker.jobs import Identify
from tests.support.site import bench, install

PLUGIN = """
from bench.contract import Device, Probe, Workload, hookimpl
from bench.spec import SGD, Conv2d, CrossEntropy, Dense, GlobalAveragePool, Network, ReLU, Schedule, sequential

class Mute:
    name = "mute"
    def probe(self): ...
    def trainer(self, workload, weights, device, settings): ...
    def predictor(self, workload, weights, device, settings): ...

class Hollow(Mute):
    name = "hollow"
    def probe(self):
        return Probe((Device("hollow", "cpu", "", ("float64",), "host"),), {"hollow": "1"})

@hookimpl
def bench_backends():
    return [Mute(), Hollow()]

def workload(name, layer):
    body = sequential(stem=Conv2d(3, 6, 1), block=layer, pool=GlobalAveragePool(), head=Dense(6, 2))
    return Workload(name, "small", Network(8, 8, 2, body), CrossEntropy(), SGD(Schedule(0.1)), 8, 1, 0, ("a", "b"), None)

class LayerNorm: ...

@hookimpl
def bench_workloads():
    return [
        workload("novel", LayerNorm()),
        workload("oblong", Conv2d(6, 6, (3, 5))),
        workload("dotted", sequential(**{"conv.1": ReLU()})),
    ]
"""
MUTE = "plugin 'broken' (broken_plugin), backend 'mute': probe() gave None, expected a Probe"
HOLLOW = (
    "plugin 'broken' (broken_plugin), backend 'hollow': trainer() gave None, expected an object with the methods "
    "stage, run, wait, weights"
)
UNUSABLE = {
    "novel": "layer 'block' is a 'LayerNorm', which is no layer; there are: AveragePool, BatchNorm, Conv2d, ",
    "oblong": "Conv2d 'block' has kernel (3, 5), expected a whole number; windows are square",
    "dotted": "a layer in 'block' is called 'conv.1'; expected a name without a dot, ",
}
DOTS = ["--workload", "dots", "--size", "small"]


@pytest.fixture
def broken(site):
    """The site with a plugin whose two backends break their contract in ways of their own."""
    install(site, "broken", {"broken": "broken_plugin"}, {"broken_plugin": PLUGIN})
    return site


def test_a_probe_without_an_answer(tmp_path, broken):
    done = bench(["list"], tmp_path, broken)
    assert done.returncode == 0
    assert f"unavailable: {MUTE}" in done.stdout
    assert "hollow  (hollow 1; plugin broken of broken)" in done.stdout, "the plugin's other backend is not hidden"
    for name, words in UNUSABLE.items():
        assert (
            f"  {name} small  unavailable: plugin 'broken' (broken_plugin), workload '{name} small': {words}" in done.stdout
        )
    done = bench(["run", "--backend", "mute", *DOTS, "--dry-run"], tmp_path, broken)
    assert (done.returncode, done.stderr) == (2, f"bench: {MUTE}\n")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["run", "--backend", "misbehaving"], "novel"),
        (["run", "--backend", "misbehaving", "--dry-run"], "oblong"),
        (["verify", "--backend", "misbehaving", "--size", "small"], "dotted"),
        (["train", "--backend", "misbehaving", "--size", "small"], "novel"),
    ],
)
def test_a_network_that_cannot_be_is_refused_alike(tmp_path, broken, words, name):
    done = bench([*words, "--workload", name], tmp_path, broken)
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"bench: plugin 'broken' (broken_plugin), workload '{name} small': {UNUSABLE[name]}")


def test_a_trainer_that_is_none(tmp_path, broken):
    done = bench(["verify", "--backend", "hollow", *DOTS, "-v"], tmp_path, broken)
    assert done.returncode == 6
    label, *trace = done.stdout.splitlines()
    assert label == f"FAIL  hollow hollow dots-small float64  failed: {HOLLOW}"
    assert trace[0] == "      Traceback (most recent call last):"
    assert trace[-1].endswith(HOLLOW)


def test_a_layer_that_the_backend_lacks_is_a_skip(tmp_path, site):
    words = ["verify", "--backend", "misbehaving", *DOTS, "--option", "fault=unsupported"]
    done = bench(words, tmp_path, site)
    assert done.stdout == "skip  misbehaving test:0 dots-small float64  no LayerNorm ('norm')\n"
    assert (done.returncode, done.stderr) == (4, "bench: nothing was verified: every case was skipped\n")


def test_a_skip_is_called_one_in_a_run_too(tmp_path, site):
    words = [
        "run",
        "--backend",
        "misbehaving",
        *DOTS,
        "--precision",
        "float64",
        "--phase",
        "train",
        "--option",
        "fault=unsupported",
    ]
    done = bench([*words, "--no-ceilings", "--trials", "1", "--seconds", "0.05"], tmp_path, site)
    assert "skipped: no LayerNorm ('norm')" in done.stderr
    assert "failed" not in done.stderr
    assert (done.returncode, done.stderr.splitlines()[-1][:50]) == (4, "bench: nothing could be measured: no LayerNorm ('n")


def test_a_training_that_is_skipped(tmp_path, site):
    words = [
        "train",
        "--backend",
        "misbehaving",
        *DOTS,
        "--precision",
        "float64",
        "--images",
        "80",
        "--option",
        "fault=unsupported",
    ]
    done = bench(words, tmp_path, site)
    assert done.stdout.startswith("test:0 float64 seed 0: skipped: no LayerNorm ('norm')")
    assert done.returncode == 4


def test_what_a_reader_raises_is_no_internal_error(monkeypatch):
    """It began in the plugin, as the worker has found out: exit code 2."""
    words = "ValueError: no such colour (in Moles.open of moles; plugin 'moles', workload 'moles')"
    failed = Outcome("failed", started="", wall=0.0, reason=words, failure=Failure("failed", words, 2))
    monkeypatch.setattr(session, "run_worker", lambda launch, listen: failed)
    with pytest.raises(PluginError, match=r"^ValueError: no such colour \(in Moles\.open of moles; ") as error:
        session.ask_worker(Identify(), dict)
    assert error.value.exit_code == 2
