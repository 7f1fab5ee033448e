"""An answer of the wrong type is one sentence that names plugin, backend and method."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bench.contract import Device, Probe, Progress, UnsupportedLayer
from bench.entry_points import PluginRef
from bench.errors import PluginError
from bench.record.schema import Case, Place
from bench.testing.reference import ReferenceBackend
from bench.worker.__main__ import explain
from bench.worker.checked import CheckedBackend
from bench.worker.jobs import Verify
from bench.worker.plugins import load_plugin

REF = PluginRef("mine", "my_package.mine")
WHOSE = "plugin 'mine' (my_package.mine), backend 'x'"
GOOD = Progress(np.zeros(2, np.float32), 1.0)
METHODS = dict.fromkeys(("stage", "run", "wait", "weights"), lambda *given: None)


def checked(**methods):
    return CheckedBackend(SimpleNamespace(name="x", **methods), REF)


def made(**changes):
    return SimpleNamespace(**(METHODS | changes))


def refused(call, *given):
    with pytest.raises(PluginError) as error:
        call(*given)
    return str(error.value)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, "probe() gave None, expected a Probe"),
        (..., "probe() gave Ellipsis, expected a Probe"),
        ([], "probe() gave a list, expected a Probe"),
        (Probe(Device("x", "cpu", "", ("fp32",), "host")), "probe() gave a Probe with devices Device(id='x'"),
        (Probe(["x"], {"x": "1"}), "probe() gave a Probe with devices ['x'], expected a tuple of Device"),
        (Probe(reason=None), "probe() gave a Probe with reason None, expected text"),
        (Probe(), "probe() found no device and gives no reason"),
        (Probe((Device("x", "cpu", "", ("float32",), "host"),), {"x": "1"}), "device x: precisions are ('float32',)"),
    ],
)
def test_a_probe(answer, fault):
    sentence = refused(checked(probe=lambda: answer).probe)
    assert sentence.startswith(f"{WHOSE}: ")
    assert fault in sentence


def test_a_probe_that_raises():
    def probe():
        raise OSError("libx.so.1\nnot found")

    assert refused(checked(probe=probe).probe) == f"{WHOSE}: probe() raised OSError: libx.so.1 not found"


@pytest.mark.parametrize("answer", [None, ..., [1], {}, 7])
@pytest.mark.parametrize(("method", "needs"), [("trainer", "stage, run, wait, weights"), ("predictor", "stage, run, wait")])
def test_what_is_no_trainer_or_predictor(method, needs, answer):
    backend = checked(**{method: lambda *given: answer})
    sentence = refused(getattr(backend, method), None, None, "x", None)
    assert sentence.startswith(f"{WHOSE}: {method}() gave ")
    assert sentence.endswith(f"expected an object with the methods {needs}")


def test_a_trainer_without_one_method():
    backend = checked(trainer=lambda *given: SimpleNamespace(stage=len, run=len, wait=len))
    assert "trainer() gave a SimpleNamespace without weights, expected" in refused(backend.trainer, None, None, "x", None)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, "wait() gave None, expected a Progress"),
        ([0.5], "wait() gave a list, expected a Progress"),
        (Progress([0.5], 1.0), "wait() gave a Progress whose losses are a list, expected an array of numbers (steps,)"),
        (Progress(np.zeros((2, 1)), 1.0), "wait() gave a Progress whose losses are an array of float64 (2, 1)"),
        (Progress(np.zeros(2), None), "wait() gave a Progress whose witness is None, expected a float"),
    ],
)
def test_a_trainers_wait(answer, fault):
    trainer = checked(trainer=lambda *given: made(wait=lambda pending: answer)).trainer(None, None, "x", None)
    assert refused(trainer.wait, 0).startswith(f"{WHOSE}, SimpleNamespace: {fault}")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (..., "weights() gave Ellipsis, expected a mapping from tensor name to array"),
        ({"head.bias": [0.0]}, "weights() gave a list for the tensor 'head.bias', expected an array of numbers"),
    ],
)
def test_a_trainers_weights(answer, fault):
    trainer = checked(trainer=lambda *given: made(weights=lambda: answer)).trainer(None, None, "x", None)
    assert fault in refused(trainer.weights)


@pytest.mark.parametrize("answer", [None, [[0.5, 0.5]], np.zeros(2), np.zeros((1, 2), int)])
def test_a_predictors_wait(answer):
    predictor = checked(predictor=lambda *given: made(wait=lambda pending: answer)).predictor(None, None, "x", None)
    assert "wait() gave " in refused(predictor.wait, 0)


def test_nothing_stands_between_after_the_first_right_answer():
    """Timed paths must pay nothing for it."""
    inner = made(wait=lambda pending: GOOD, in_flight=4)
    trainer = checked(trainer=lambda *given: inner).trainer(None, None, "x", None)
    assert trainer.stage is inner.stage
    assert trainer.run is inner.run
    assert trainer.wait is not inner.wait
    assert trainer.wait(0) is GOOD
    assert trainer.wait is inner.wait
    assert trainer.in_flight == 4
    assert not hasattr(trainer, "compile")


def test_a_layer_that_a_backend_lacks_stays_a_skip():
    def trainer(*given):
        raise UnsupportedLayer("no LayerNorm ('norm')")

    with pytest.raises(UnsupportedLayer):
        checked(trainer=trainer).trainer(None, None, "x", None)


def test_an_honest_backend_passes_through():
    backend = CheckedBackend(ReferenceBackend(), REF)
    assert backend.probe() == ReferenceBackend().probe()
    assert not hasattr(backend, "alternatives")


def test_what_a_plugin_raises_names_the_method():
    job = Verify(
        case=Case(backend="x", places=(Place("x"),), workload="dots", size="small", phase="train", scenario=""),
        backend=PluginRef("mine", __name__),
        workload=PluginRef("dots", "elsewhere"),
    )

    def stage(images):
        raise ValueError("too wide\nsecond line")

    try:
        stage(None)
    except ValueError as error:
        found = explain(error, job)
    method = f"test_what_a_plugin_raises_names_the_method of {__name__}"
    assert found.message == f"ValueError: too wide (in {method}; plugin 'mine', backend 'x')"
    assert (found.kind, found.exit_code) == ("failed", 2)


@pytest.mark.parametrize("code", ["from bench.spec import GELU, ReLU", "import bench.spec\nbench.spec.GELU(3)"])
def test_a_layer_that_bench_spec_has_not(monkeypatch, code):
    monkeypatch.setattr("bench.worker.plugins.import_module", lambda name: exec(code))
    sentence = refused(load_plugin, REF)
    assert "cannot be imported: bench.spec has no 'GELU'; there are: SGD, AdamW, AveragePool, " in sentence
    assert "/" not in sentence.replace("docs/writing-a-workload.md", "")


def plugin_that_gives(monkeypatch, answer):
    from bench.contract import hookimpl

    @hookimpl
    def bench_backends():
        return answer

    monkeypatch.setattr("bench.worker.plugins.import_module", lambda name: SimpleNamespace(bench_backends=bench_backends))
    return refused(load_plugin, REF)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (..., "bench_backends gave Ellipsis, expected a list"),
        (ReferenceBackend(), "bench_backends gave a ReferenceBackend, expected a list"),
        ("x", "bench_backends gave a str, expected a list"),
        (
            [ReferenceBackend],
            "backend 'reference': it is the class ReferenceBackend, expected an object: ReferenceBackend()",
        ),
        ([None], "bench_backends gave None without name"),
        (None, "offers nothing; expected a hook marked with @hookimpl that returns a list"),
        ([SimpleNamespace(name="a b", probe=len)], "backend 'a b': name is 'a b', expected a word"),
        ([SimpleNamespace(name="x", probe=len, trainer=None)], "backend 'x': method trainer is missing"),
        (
            [SimpleNamespace(name="x", probe=len, trainer=len, predictor=len, options="tiles")],
            "backend 'x': options are 'tiles', expected a list of names",
        ),
    ],
)
def test_what_a_hook_gives(monkeypatch, answer, fault):
    sentence = plugin_that_gives(monkeypatch, answer)
    assert sentence.startswith("plugin 'mine' (my_package.mine)")
    assert fault in sentence
