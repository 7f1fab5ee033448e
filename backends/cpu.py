"""Backend ``cpu``: PyTorch on the host's cores."""

from __future__ import annotations

from typing import Any

from bench.contract import Backend, Device, Predictor, Probe, Settings, Trainer, Workload, hookimpl
from bench.spec import Weights


class CpuBackend:
    """PyTorch with oneDNN, channels_last, on as many threads as the settings give."""

    name = "cpu"

    def probe(self) -> Probe:
        """One device, ``cpu``; bf16 where the processor has bf16 instructions."""
        try:
            import torch
        except ImportError as error:
            return Probe(reason=f"PyTorch is not importable ({error}); pip install 'accelbench[torch]'")
        precisions = ("float64", "fp32", "bf16") if _computes_bf16(torch.cpu) else ("float64", "fp32")
        return Probe((Device("cpu", "cpu", "", precisions, "host"),), {"torch": str(torch.__version__)})

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Trainer:
        """A trainer on the host."""
        from backends.torch_engine import TorchTrainer

        return TorchTrainer(workload, weights, device, settings)

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Predictor:
        """A predictor on the host."""
        from backends.torch_engine import TorchPredictor

        return TorchPredictor(workload, weights, device, settings)


def _computes_bf16(cpu: Any) -> bool:
    """Whether the processor multiplies bf16 itself; PyTorch's own look at it has no public name, and not in every release."""
    looks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(look() for name in looks if (look := getattr(cpu, name, None)) is not None)


@hookimpl
def bench_backends() -> list[Backend]:
    """The ``cpu`` backend."""
    return [CpuBackend()]
