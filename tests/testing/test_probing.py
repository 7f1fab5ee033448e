"""``probe()``'s contract: each way to break it is named."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.contract import Device, Probe
from bench.testing.probing import check_backend
from bench.testing.reference import ReferenceBackend

DEVICE = Device("x:0", "gpu", "X", ("float64", "fp32"), "gpu:0")
VERSIONS = {"x": "1"}


def backend(probe: object, **attributes: object) -> SimpleNamespace:
    answer = probe if callable(probe) else lambda: probe
    return SimpleNamespace(**({"name": "x", "probe": answer, "trainer": len, "predictor": len} | attributes))


def faults(subject: object) -> str:
    return " ".join(check.detail for check in check_backend(subject) if not check.passed)


def test_an_honest_backend_has_no_faults():
    assert faults(ReferenceBackend()) == ""
    assert faults(backend(Probe((DEVICE,), VERSIONS))) == ""


def test_no_device_is_fine_with_a_reason():
    assert faults(backend(Probe(reason="no X here; pip install x"))) == ""
    assert "gives no reason" in faults(backend(Probe()))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"id": ""}, "must not be empty"),
        ({"kind": None}, "must be text"),
        ({"physical": ""}, "must not be empty"),
        ({"precisions": ("fp16",)}, "precisions are ('fp16',)"),
        ({"precisions": ()}, "precisions are ()"),
        ({"precisions": ("fp32", "fp32")}, "each once"),
        ({"precisions": ["fp32"]}, "must be a tuple"),
        ({"trains": 1}, "trains and joins each a bool"),
        ({"joins": "yes"}, "trains and joins each a bool"),
        ({"memory_bytes": 0}, "memory_bytes is 0"),
        ({"memory_bytes": 2.5}, "memory_bytes is 2.5"),
    ],
)
def test_a_device_that_breaks_the_contract_is_named(change: dict, fault: str):
    assert fault in faults(backend(Probe((replace(DEVICE, **change),), VERSIONS)))


def test_two_devices_with_one_id():
    assert "share an id" in faults(backend(Probe((DEVICE, DEVICE), VERSIONS)))


@pytest.mark.parametrize(("versions", "fault"), [({}, "versions are empty"), ({"x": 1}, "from text to text")])
def test_versions(versions: dict, fault: str):
    assert fault in faults(backend(Probe((DEVICE,), versions)))


def test_a_probe_that_raises():
    def probe() -> Probe:
        raise ImportError("libx.so.1 not found")

    assert "probe() raised ImportError: libx.so.1 not found" in faults(backend(probe))


def test_a_probe_that_changes_its_mind():
    answers = iter([Probe((DEVICE,), VERSIONS), Probe((), VERSIONS, "gone")])
    assert "differently" in faults(backend(lambda: next(answers)))


def test_something_else_than_a_probe():
    assert "gave a list" in faults(backend([DEVICE]))


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"name": ""}, "name is ''"),
        ({"name": "two words"}, "expected a word"),
        ({"trainer": None}, "method trainer is missing"),
        ({"environment": {"A": 1}}, "from text to text"),
    ],
)
def test_attributes(attributes: dict, fault: str):
    assert fault in faults(backend(Probe((DEVICE,), VERSIONS), **attributes))
