"""Backend ``cuda``: PyTorch on NVIDIA GPUs, and on AMD GPUs through PyTorch's ROCm builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backends.options import LAYERS, choice, ways
from bench.contract import Backend, Device, Predictor, Probe, Settings, Trainer, Workload, hookimpl
from bench.spec import Weights

CHOICES = {"step": ("eager", "graph", "compiled"), "inference": ("eager", "graph", "compiled")}
"""What ``--option`` may set, the default first: a training step, and inference, operation by operation; as one CUDA graph; or
compiled by torch.compile, which fuses what lies between convolutions, and then as one CUDA graph."""


class CudaBackend:
    """PyTorch with cuDNN (MIOpen on ROCm), channels_last, pinned asynchronous copies on a stream of their own."""

    name = "cuda"
    options = tuple(CHOICES)
    layers = LAYERS

    def probe(self) -> Probe:
        """One device per visible GPU, ``cuda:0`` …; bf16 and tf32 from compute capability 8.0."""
        try:
            import torch
        except ImportError as error:
            return Probe(reason=f"PyTorch is not importable ({error}); pip install 'accelbench[torch]'")
        versions = {"torch": str(torch.__version__)}
        if torch.version.cuda is None and torch.version.hip is None:
            return Probe((), versions, f"PyTorch {torch.__version__} is a CPU build; install a CUDA or ROCm build of it")
        if not torch.cuda.is_available():
            return Probe((), versions, "PyTorch sees no GPU; check the driver with nvidia-smi or rocm-smi")
        versions |= {"cuda": str(torch.version.cuda)} if torch.version.cuda else {"rocm": str(torch.version.hip)}
        versions["cudnn"] = str(torch.backends.cudnn.version())
        return Probe(tuple(_device(torch, index) for index in range(torch.cuda.device_count())), versions)

    def alternatives(self, workload: Workload, phase: str, settings: Settings) -> Sequence[Mapping[str, str]]:
        """Every way, for training and inference alike; which is fastest depends on how large the kernels are."""
        if settings.precision == "float64":
            return ()
        return ways("step" if phase == "train" else "inference", CHOICES)

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Trainer:
        """A trainer on the GPU ``device``."""
        from backends.torch_engine import RecordedTrainer, TorchTrainer

        way = _way(settings, "step")
        if way == "eager":
            return TorchTrainer(workload, weights, device, settings)
        return RecordedTrainer(workload, weights, device, settings, way == "compiled")

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Predictor:
        """A predictor on the GPU ``device``."""
        from backends.torch_engine import RecordedPredictor, TorchPredictor

        way = _way(settings, "inference")
        if way == "eager":
            return TorchPredictor(workload, weights, device, settings)
        return RecordedPredictor(workload, weights, device, settings, way == "compiled")


def _way(settings: Settings, name: str) -> str:
    return "eager" if settings.precision == "float64" else choice(settings, name, CHOICES)


def _device(torch: Any, index: int) -> Device:
    properties = torch.cuda.get_device_properties(index)
    precisions = ["float64", "fp32"]
    if torch.version.cuda and properties.major >= 8:
        precisions.append("tf32")
    if torch.version.hip or properties.major >= 8:
        precisions.append("bf16")
    memory = int(properties.total_memory)
    return Device(f"cuda:{index}", "gpu", properties.name, tuple(precisions), f"gpu:{index}", memory)


@hookimpl
def bench_backends() -> list[Backend]:
    """The ``cuda`` backend."""
    return [CudaBackend()]
