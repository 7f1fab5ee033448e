"""The layer tests of the kit tell what a layer does otherwise, in precisions that round too."""

from __future__ import annotations

import pytest

from bench.contract import Settings
from bench.testing.predicting import check_varied_weights
from bench.testing.reference import ReferenceBackend
from bench.testing.workloads import BATCH_SIZE, layer_workloads
from bench.testing.zoo.layers import MISTAKES
from bench.verify.equivalence import Subject, verify

pytestmark = pytest.mark.slow


def failed(backend: ReferenceBackend, layer: str, precision: str) -> list[str]:
    subject = Subject(backend, "reference", layer_workloads()[layer], Settings(precision, BATCH_SIZE, 1))
    return [f"{check.name}: {check.detail}" for check in verify(subject) + check_varied_weights(subject) if not check.passed]


@pytest.mark.parametrize("precision", ["float64", "fp32", "tf32", "bf16"])
@pytest.mark.parametrize("layer", layer_workloads())
def test_an_honest_layer_passes(layer: str, precision: str):
    assert failed(ReferenceBackend(), layer, precision) == []


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_by_the_test_of_its_layer(name: str, precision: str):
    mistake = MISTAKES[name]
    for layer in mistake.layers:
        assert failed(ReferenceBackend(misread=mistake.misread), layer, precision)
