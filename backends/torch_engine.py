"""PyTorch's trainer and predictor for any device type; ``cpu`` and ``cuda`` only choose the device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from backends.torch_frozen import as_graph, freeze
from backends.torch_graph import Recorded
from backends.torch_lowering import Logits, load, lower, numerics, set_tf32, unload
from bench.contract import Progress, Settings, Workload
from bench.spec import SGD, Optimizer, Weights, decays, trainable


@dataclass(frozen=True)
class _Staged:
    """Tensors on their way to the device; ``arrived`` marks their arrival on an asynchronous one."""

    tensors: tuple[torch.Tensor, ...]
    arrived: Any  # torch.cuda.Event or None


@dataclass(frozen=True)
class _Pending:
    """Numbers on their way to the host; ``done`` marks their arrival on an asynchronous device."""

    numbers: torch.Tensor
    done: Any  # torch.cuda.Event or None


class _Engine:
    """What training and prediction share: the device, its settings, and moving batches and numbers."""

    def __init__(self, device: str, settings: Settings) -> None:
        self._device = torch.device(device)
        self._asynchronous = self._device.type == "cuda"
        self._kinds = numerics(settings.precision)
        set_tf32(settings.precision == "tf32")
        if settings.cache_dir is not None:  # torch.compile would find what earlier runs left, and call that cold
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(settings.cache_dir / "inductor")
        if self._asynchronous:
            torch.backends.cudnn.benchmark = True  # shapes are constant: let cuDNN measure its algorithms once
            torch.cuda.set_device(self._device)
            self._copying = torch.cuda.Stream(self._device)  # apart, so that copies do not wait for the steps before them
        else:
            torch.set_num_threads(settings.threads)

    def _to_device(self, *arrays: NDArray[Any]) -> _Staged:
        tensors = tuple(torch.from_numpy(np.asarray(array)) for array in arrays)
        if not self._asynchronous:
            return _Staged(tensors, None)
        with torch.cuda.stream(self._copying):  # only from pinned memory is a copy asynchronous
            copied = tuple(tensor.pin_memory().to(self._device, non_blocking=True) for tensor in tensors)
            arrived = torch.cuda.Event()
            arrived.record()
        return _Staged(copied, arrived)

    def _on_device(self, staged: _Staged) -> tuple[torch.Tensor, ...]:
        """What was staged, for work enqueued from now on."""
        if staged.arrived is not None:
            stream = self._stream()
            stream.wait_event(staged.arrived)
            for tensor in staged.tensors:
                tensor.record_stream(stream)  # its memory was taken from the other stream's
        return staged.tensors

    def _stream(self) -> Any:
        """Where this device's steps are enqueued."""
        return torch.cuda.current_stream(self._device)

    def _to_host(self, numbers: torch.Tensor) -> _Pending:
        # The copy is enqueued now, so that waiting for this block does not wait for one enqueued after it.
        if not self._asynchronous:
            return _Pending(numbers, None)
        host = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
        host.copy_(numbers, non_blocking=True)
        done = torch.cuda.Event()
        done.record(self._stream())  # of this device, whichever is the current one
        return _Pending(host, done)

    @staticmethod
    def _arrived(pending: _Pending) -> NDArray[np.floating]:
        if pending.done is not None:
            pending.done.synchronize()
        return pending.numbers.numpy()

    def device_memory(self) -> int:
        """Peak bytes that PyTorch set aside on the device, free blocks and CUDA graphs' pools included; 0 on the host."""
        return int(torch.cuda.max_memory_reserved(self._device)) if self._asynchronous else 0


class TorchTrainer(_Engine):
    """Training operation by operation, with torch.optim's fused optimizers."""

    def __init__(
        self,
        workload: Workload,
        weights: Weights,
        device: str,
        settings: Settings,
        *,
        compiled_norms: bool = False,
        recorded: bool = False,
    ) -> None:
        super().__init__(device, settings)
        self._workload, self._batch_size = workload, settings.batch_size
        self._tensors = load(weights, self._device, self._kinds.state, train=True)
        self._logits = lower(workload.network, self._tensors, self._kinds, training=True, compiled_norms=compiled_norms)
        self.lowering = "torch eager, channels_last"
        self._trained = [t for name, t in self._tensors.items() if trainable(name)]
        self._schedule = workload.optimizer.schedule
        self._optimizer = optimizer_of(workload, self._tensors, self._device, recorded)
        classes = workload.loss.class_weights
        self._class_weights = (
            None if classes is None else torch.tensor(classes, dtype=self._kinds.state, device=self._device)
        )
        self._steps = 0

    def stage(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> _Staged:
        """Copy one batch to the device."""
        return self._to_device(images, labels.astype(np.int64))

    def run(self, block: Sequence[_Staged]) -> _Pending:
        """One optimizer step per batch."""
        losses = []
        for staged in block:
            self._set_rate(self._schedule.at(self._steps))
            self._steps += 1
            losses.append(self._step(*self._on_device(staged)))
        with torch.no_grad():
            squares = torch.stack(torch._foreach_norm(self._trained)).square().sum()
        return self._to_host(torch.stack([*losses, squares]))

    def _set_rate(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def _step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        loss = F.cross_entropy(self._logits(images), labels, self._class_weights)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        return loss.detach()

    def _blank(self) -> torch.Tensor:
        network = self._workload.network
        return torch.zeros(self._batch_size, network.height, network.width, 3, dtype=torch.uint8, device=self._device)

    def wait(self, pending: _Pending) -> Progress:
        """Losses, and the sum of squares of all trained tensors after the block."""
        numbers = self._arrived(pending)
        return Progress(numbers[:-1].copy(), float(numbers[-1]))

    def weights(self) -> Weights:
        """Copies of every tensor on the host."""
        return unload(self._tensors)


class CompiledNormsTrainer(TorchTrainer):
    """The same with BatchNorm, sums and ReLU compiled by torch.compile."""

    def __init__(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> None:
        super().__init__(workload, weights, device, settings, compiled_norms=True)
        self.lowering += ", compiled norms"

    def compile(self) -> None:
        """A forward and a backward pass over a blank batch; no weight moves, no statistic."""
        before = {name: tensor.clone() for name, tensor in self._tensors.items() if not trainable(name)}
        self._logits(self._blank()).sum().backward()
        self._optimizer.zero_grad(set_to_none=True)
        for name, tensor in before.items():
            self._tensors[name].copy_(tensor)


class RecordedTrainer(TorchTrainer):
    """Each step one CUDA graph, over buffers that stay where they are; ``compiled``: what lies between convolutions fused first."""

    def __init__(
        self, workload: Workload, weights: Weights, device: str, settings: Settings, compiled: bool = False
    ) -> None:
        super().__init__(workload, weights, device, settings, recorded=True)
        if compiled:
            self._logits = torch.compile(self._logits, dynamic=False)
        self.lowering = f"{'torch.compile' if compiled else 'torch eager'}, channels_last, CUDA graph"

    def compile(self) -> None:
        """Whole steps over blank buffers, the last of them recorded; then weights, statistics and optimizer as they were."""
        before = {name: tensor.detach().clone() for name, tensor in self._tensors.items()}
        self._images = self._blank()
        self._labels = torch.zeros(self._batch_size, dtype=torch.int64, device=self._device)
        work = super()._step
        self._recorded = Recorded(lambda: work(self._images, self._labels), self._device)
        with torch.no_grad():
            for name, tensor in before.items():
                self._tensors[name].copy_(tensor)
            for state in self._optimizer.state.values():
                for value in state.values():  # all zero is how both optimizers begin
                    value.zero_()

    def _set_rate(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"].fill_(rate)

    def _step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self._images.copy_(images)
        self._labels.copy_(labels)
        return self._recorded().clone()


class TorchPredictor(_Engine):
    """Inference operation by operation, BatchNorm folded into the convolutions."""

    def __init__(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._network, self._batch_size = workload.network, settings.batch_size
        self._probabilities: Logits = freeze(workload.network, weights, self._device, self._kinds)
        self.lowering = "torch eager, channels_last, BatchNorm folded"

    def stage(self, images: NDArray[np.uint8]) -> _Staged:
        """Copy one batch to the device."""
        return self._to_device(images)

    def run(self, staged: _Staged) -> _Pending:
        """The forward pass."""
        (images,) = self._on_device(staged)
        with torch.inference_mode():
            return self._to_host(self._probabilities(images))

    def wait(self, pending: _Pending) -> NDArray[np.floating]:
        """Probabilities (batch, classes), copied so that the pinned block they arrived in can be used again at once."""
        return self._arrived(pending).copy()


class GraphPredictor(TorchPredictor):
    """The same on the host as one oneDNN graph."""

    def __init__(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> None:
        super().__init__(workload, weights, device, settings)
        self.lowering = "oneDNN graph, channels_last, BatchNorm folded"

    def compile(self) -> None:
        """Build the graph for the settings' batch size."""
        self._probabilities = as_graph(self._probabilities, self._network, self._batch_size)


class RecordedPredictor(TorchPredictor):
    """The same as one CUDA graph; ``compiled``: what lies between convolutions fused first."""

    def __init__(
        self, workload: Workload, weights: Weights, device: str, settings: Settings, compiled: bool = False
    ) -> None:
        super().__init__(workload, weights, device, settings)
        if compiled:
            self._probabilities = torch.compile(self._probabilities, dynamic=False)
        way = "torch.compile" if compiled else "torch eager"
        self.lowering = f"{way}, channels_last, BatchNorm folded, CUDA graph"

    def compile(self) -> None:
        """Record the forward pass over a buffer of the settings' batch size."""
        size = (self._batch_size, self._network.height, self._network.width, 3)
        images = self._images = torch.zeros(size, dtype=torch.uint8, device=self._device)
        probabilities = self._probabilities
        with torch.inference_mode():
            self._recorded = Recorded(lambda: probabilities(images), self._device)

    def run(self, staged: _Staged) -> _Pending:
        """The forward pass."""
        (images,) = self._on_device(staged)
        with torch.inference_mode():
            self._images.copy_(images)
            result = self._recorded()
            return self._to_host(result if self._asynchronous else result.clone())


def optimizer_of(
    workload: Workload, tensors: dict[str, torch.Tensor], device: torch.device, recorded: bool = False
) -> torch.optim.Optimizer:
    """The workload's optimizer over its tensors; ``recorded`` as part of a CUDA graph."""
    spec: Optimizer = workload.optimizer
    decayed = frozenset(filter(trainable, tensors)) if spec.decay_all else decays(workload.network)
    groups: list[dict[str, Any]] = [
        {"params": [t for n, t in tensors.items() if trainable(n) and n in decayed], "weight_decay": spec.weight_decay},
        {"params": [t for n, t in tensors.items() if trainable(n) and n not in decayed], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    # A recorded step reads its learning rate from memory, for a number would be recorded with it.
    rate: Any = torch.zeros((), dtype=torch.float32, device=device) if recorded else spec.schedule.at(0)
    if isinstance(spec, SGD):
        return torch.optim.SGD(groups, lr=rate, momentum=spec.momentum, nesterov=spec.nesterov, fused=True)
    recordable = recorded and device.type == "cuda"
    betas = (spec.beta1, spec.beta2)
    return torch.optim.AdamW(groups, lr=rate, betas=betas, eps=spec.epsilon, fused=True, capturable=recordable)
