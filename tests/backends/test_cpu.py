"""Backend ``cpu`` against the kit, by default and with the choices that are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backends.cpu import CpuBackend
from bench.contract import Predictor, Settings, Trainer, Workload
from bench.spec import Weights, initial_weights
from bench.testing import BackendConformance, kit_workloads
from tests.support.compiler import needs_compiler

OTHERS = {"norms": "compiled", "inference": "eager"}


class OtherChoices(CpuBackend):
    """With every option set to what is not its default."""

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Trainer:
        """Norms compiled."""
        return super().trainer(workload, weights, device, replace(settings, options=OTHERS))

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Predictor:
        """Operation by operation."""
        return super().predictor(workload, weights, device, replace(settings, options=OTHERS))


class TestConformance(BackendConformance):
    backend = CpuBackend()


@needs_compiler
class TestConformanceOfOtherChoices(BackendConformance):
    backend = OtherChoices()


@pytest.mark.parametrize(("make", "option"), [("trainer", "norms"), ("predictor", "inference")])
def test_a_choice_that_there_is_not_is_named_with_those_there_are(make: str, option: str):
    workload = kit_workloads()[0]
    given: Any = (workload, initial_weights(workload.network, 0), "cpu", Settings("fp32", 8, 1, options={option: "fast"}))
    with pytest.raises(ValueError, match=rf"option {option} is 'fast'; expected \w+ or \w+"):
        getattr(CpuBackend(), make)(*given)
