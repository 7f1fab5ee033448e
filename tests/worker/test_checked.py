"""An answer of the wrong type is one sentence that names plugin, backend and method."""

from __future__ import annotations

from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from bench.contract import Device, Probe, Progress, Recipe, UnsupportedLayer
from bench.entry_points import PluginRef
from bench.errors import PluginError
from bench.record.schema import Case, Place
from bench.testing.reference import ReferenceBackend
from bench.worker.__main__ import explain
from bench.worker.answers import ANSWERS, unfit_answer
from bench.worker.channel import out_of_memory
from bench.worker.checked import CheckedBackend
from bench.worker.jobs import Identify, Job, Survey, Verify
from bench.worker.offered import backend_fault, optional_fault, probe_fault, workload_fault
from bench.worker.plugins import load_plugin
from tests.support.misbehaving import workload

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
        (Probe(reason=None), "probe() gave a Probe whose reason is None, expected text"),
        (Probe(reason="x" * 5000), "whose reason has 5,000 characters, expected 2,000 at most"),
        (Probe((Device("x", "cpu", "", ("fp32",), "host", 2**64),), {"x": "1"}), "memory_bytes is 18446744073709551616"),
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


class Unspeakable(Exception):
    """An exception, and a value, whose own words raise."""

    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


ODD = [None, ..., 5, -1.5, True, b"x", [1], {}, {1: 2}, object(), "x" * 5000, 2**70, Unspeakable()]
BACKEND = {
    "name": "x",
    "probe": len,
    "trainer": len,
    "predictor": len,
    "environment": {},
    "options": (),
    "alternatives": len,
}
DEVICE = {"id": "x", "kind": "cpu", "name": "", "precisions": ("fp32",), "physical": "host"}
DEVICE |= {"memory_bytes": None, "trains": True, "joins": False}
WORKLOAD = ("summary", "classes", "loss", "optimizer", "recipe", "batch_size", "epochs", "seed", "data")


def accepted(value):
    """What may be that value, of all that a plugin gives; everything else is a fault in words."""
    faults = {
        "lowering": optional_fault(made(lowering=value)),
        "device_memory": optional_fault(made(device_memory=value)),
        "device_memory()": optional_fault(made(device_memory=lambda: value)),
    }
    faults |= {f"backend.{name}": backend_fault(SimpleNamespace(**BACKEND | {name: value})) for name in BACKEND}
    faults |= {f"{name}()": probe_fault(Probe((Device(**DEVICE | {name: value}),), {"x": "1"})) for name in DEVICE}
    faults |= {name: workload_fault(workload(**{name: value})) for name in WORKLOAD}
    faults |= {name: workload_fault(workload(recipe=Recipe(**{name: value}))) for name in ("targets", "synthetic_targets")}
    assert all(isinstance(fault, str) and len(fault) < 500 for fault in faults.values())
    return {name for name, fault in faults.items() if not fault}


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_what_a_plugin_gives_in_the_wrong_type_is_a_fault_in_words(value):
    right = {
        type(None): {"device_memory", "memory_bytes()", "data"},
        bool: {"trains()", "joins()"},
        int: {"device_memory()", "memory_bytes()", "batch_size", "epochs", "seed"} if value == 5 else set(),
        dict: {"backend.environment", "targets", "synthetic_targets"} if value == {} else set(),
    }
    assert accepted(value) == right.get(type(value), set())


def test_an_exception_without_words_is_told_all_the_same():
    assert explain(Unspeakable()).message == "Unspeakable"
    assert not out_of_memory(Unspeakable())


JOB = Verify(
    case=Case(backend="x", places=(Place("x"),), workload="dots", size="small", phase="train", scenario=""),
    backend=PluginRef("mine", __name__),
    workload=PluginRef("dots", "elsewhere"),
)


@pytest.mark.parametrize("answer", [b"", b"{}", b'[{"name":5}]', b"\xff", b"[" * 100_000, b"[" * 2000 + b"]" * 2000])
def test_an_answer_that_fits_no_job_is_told(answer):
    assert unfit_answer(JOB, answer).startswith("the worker's answer is not one to this job: ")
    assert unfit_answer(JOB, b'[{"name":"loss","passed":true}]') == ""


def test_every_job_about_a_plugin_has_its_type_of_answer():
    assert set(ANSWERS) == set(get_args(Job)) - {Survey, Identify}


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
    def stage(images):
        raise ValueError("too wide\nsecond line")

    try:
        stage(None)
    except ValueError as error:
        found = explain(error, JOB)
    method = f"test_what_a_plugin_raises_names_the_method of {__name__}"
    assert found.message == f"ValueError: too wide (in {method}; plugin 'mine', backend 'x')"
    assert (found.kind, found.exit_code) == ("failed", 2)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied", "/there"), "the system refused /there: Permission denied"),
        (OSError("odd"), "the system refused: odd"),
    ],
)
def test_what_the_system_refuses_the_harness_is_the_users_to_mend(error, words):
    found = explain(error, JOB)
    assert (found.kind, found.message, found.exit_code) == ("usage", words, 2)


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
