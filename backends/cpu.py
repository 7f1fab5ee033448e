"""Backend ``cpu``: PyTorch on the host's cores."""

from __future__ import annotations

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
        bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        precisions = ("float64", "fp32", "bf16") if bf16 else ("float64", "fp32")
        return Probe((Device("cpu", "cpu", "", precisions, "host"),), {"torch": str(torch.__version__)})

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Trainer:
        """A trainer on the host."""
        from backends.torch_engine import TorchTrainer

        return TorchTrainer(workload, weights, device, settings)

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Predictor:
        """A predictor on the host."""
        from backends.torch_engine import TorchPredictor

        return TorchPredictor(workload, weights, device, settings)


@hookimpl
def bench_backends() -> list[Backend]:
    """The ``cpu`` backend."""
    return [CpuBackend()]
