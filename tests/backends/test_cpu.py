"""Backend ``cpu`` against the kit, by default and with the choices that are not."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from backends.cpu import CpuBackend
from bench.contract import Settings
from bench.spec.weights import initial_weights
from bench.testing import BackendConformance, kit_workloads
from tests.support.compiler import needs_compiler

pytestmark = pytest.mark.slow


class TestConformance(BackendConformance):
    backend = CpuBackend()


@needs_compiler
class TestConformanceOfOtherChoices(BackendConformance):
    backend = CpuBackend()
    options: ClassVar = {"norms": "compiled", "inference": "eager"}


@pytest.mark.parametrize(("make", "option"), [("trainer", "norms"), ("predictor", "inference")])
def test_a_choice_that_there_is_not_is_named_with_those_there_are(make: str, option: str):
    workload = kit_workloads()[0]
    given: Any = (workload, initial_weights(workload.network, 0), "cpu", Settings("fp32", 8, 1, options={option: "fast"}))
    with pytest.raises(ValueError, match=rf"option {option} is 'fast'; expected \w+ or \w+"):
        getattr(CpuBackend(), make)(*given)
