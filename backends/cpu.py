"""Backend ``cpu``: PyTorch on the host's cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from backends.options import LAYERS, choice, ways
from bench.contract import Backend, Device, Predictor, Probe, Settings, Trainer, Workload, hookimpl
from bench.spec import BatchNorm, Weights, walk

CHOICES = {"norms": ("eager", "compiled"), "inference": ("graph", "eager")}
"""What ``--option`` may set, the default first: BatchNorm in training by PyTorch's own kernels or by compiled ones that need a C++
compiler; inference as one oneDNN graph or operation by operation."""


LARGE_BYTES = 16 * 2**20
"""Smaller activations stay in the caches, where PyTorch's own norms are as fast as compiled ones."""


class CpuBackend:
    """PyTorch with oneDNN, channels_last, on as many threads as the settings give."""

    name = "cpu"
    options = tuple(CHOICES)
    layers = LAYERS

    def probe(self) -> Probe:
        """One device, ``cpu``; bf16 where the processor has bf16 instructions."""
        try:
            import torch
        except ImportError as error:
            return Probe(reason=f"PyTorch is not importable ({error}); pip install 'accelbench[torch]'")
        precisions = ("float64", "fp32", "bf16") if _computes_bf16(torch.cpu) else ("float64", "fp32")
        return Probe((Device("cpu", "cpu", "", precisions, "host"),), {"torch": str(torch.__version__)})

    def alternatives(self, workload: Workload, phase: str, settings: Settings) -> Sequence[Mapping[str, str]]:
        """Compiled norms where activations are too large for the caches, and inference without the graph."""
        if settings.precision == "float64":
            return ()
        if phase == "infer":
            return ways("inference", CHOICES)
        if _largest_activation(workload) * settings.batch_size * (2 if settings.precision == "bf16" else 4) < LARGE_BYTES:
            return ()
        return ways("norms", CHOICES)

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Trainer:
        """A trainer on the host."""
        from backends.torch_engine import CompiledNormsTrainer, TorchTrainer

        compiled = choice(settings, "norms", CHOICES) == "compiled" and settings.precision != "float64"
        return (CompiledNormsTrainer if compiled else TorchTrainer)(workload, weights, device, settings)

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Predictor:
        """A predictor on the host."""
        from backends.torch_engine import GraphPredictor, TorchPredictor

        graph = choice(settings, "inference", CHOICES) == "graph" and settings.precision != "float64"
        return (GraphPredictor if graph else TorchPredictor)(workload, weights, device, settings)


def _largest_activation(workload: Workload) -> int:
    """Numbers per image that the largest BatchNorm reads."""
    return max((prod(node.input_shape) for node in walk(workload.network) if isinstance(node.layer, BatchNorm)), default=0)


def _computes_bf16(cpu: Any) -> bool:
    """Whether the processor multiplies bf16 itself; PyTorch's own look at it has no public name, and not in every release."""
    looks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(look() for name in looks if (look := getattr(cpu, name, None)) is not None)


@hookimpl
def bench_backends() -> list[Backend]:
    """The ``cpu`` backend."""
    return [CpuBackend()]
