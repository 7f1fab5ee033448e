"""PyTorch's trainer and predictor for any device type; ``cpu`` and ``cuda`` only choose the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from backends.torch_frozen import as_graph, freeze
from backends.torch_lowering import Logits, load, lower, numerics, set_tf32, unload
from bench.contract import Progress, Settings, Workload
from bench.spec import SGD, Optimizer, Weights, decays, trainable


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
        if self._asynchronous:
            torch.backends.cudnn.benchmark = True  # shapes are constant: let cuDNN measure its algorithms once
            torch.cuda.set_device(self._device)
        else:
            torch.set_num_threads(settings.threads)

    def _to_device(self, array: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(np.asarray(array))
        if self._asynchronous:  # only from pinned memory is a copy asynchronous
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor

    def _to_host(self, numbers: torch.Tensor) -> _Pending:
        # The copy is enqueued now, so that waiting for this block does not wait for one enqueued after it.
        if not self._asynchronous:
            return _Pending(numbers, None)
        host = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
        host.copy_(numbers, non_blocking=True)
        done = torch.cuda.Event()
        done.record()
        return _Pending(host, done)

    @staticmethod
    def _arrived(pending: _Pending) -> NDArray[np.floating]:
        if pending.done is not None:
            pending.done.synchronize()
        return pending.numbers.numpy()

    def device_memory(self) -> int:
        """Peak bytes allocated on the device; 0 where the device is the host."""
        return int(torch.cuda.max_memory_allocated(self._device)) if self._asynchronous else 0


class TorchTrainer(_Engine):
    """Training with torch.optim's fused optimizers."""

    def __init__(
        self, workload: Workload, weights: Weights, device: str, settings: Settings, compiled_norms: bool = False
    ) -> None:
        super().__init__(device, settings)
        self._workload, self._batch_size = workload, settings.batch_size
        if compiled_norms:
            self.compile = self._compile
        self._tensors = load(weights, self._device, self._kinds.state, train=True)
        self._logits = lower(workload.network, self._tensors, self._kinds, training=True, compiled_norms=compiled_norms)
        self.lowering = f"torch eager, channels_last{', compiled norms' if compiled_norms else ''}"
        self._trained = [t for name, t in self._tensors.items() if trainable(name)]
        self._schedule = workload.optimizer.schedule
        self._optimizer = _optimizer(workload, self._tensors)
        classes = workload.loss.class_weights
        self._class_weights = (
            None if classes is None else torch.tensor(classes, dtype=self._kinds.state, device=self._device)
        )
        self._steps = 0

    def _compile(self) -> None:
        """A forward and a backward pass over a blank batch; no weight moves, no statistic."""
        network = self._workload.network
        before = {name: tensor.clone() for name, tensor in self._tensors.items() if not trainable(name)}
        blank = torch.zeros(self._batch_size, network.height, network.width, 3, dtype=torch.uint8, device=self._device)
        self._logits(blank).sum().backward()
        self._optimizer.zero_grad(set_to_none=True)
        for name, tensor in before.items():
            self._tensors[name].copy_(tensor)

    def stage(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> tuple[torch.Tensor, torch.Tensor]:
        """Copy one batch to the device."""
        return self._to_device(images), self._to_device(labels.astype(np.int64))

    def run(self, block: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> _Pending:
        """One optimizer step per batch."""
        losses = [self._step(images, labels) for images, labels in block]
        with torch.no_grad():
            squares = torch.stack(torch._foreach_norm(self._trained)).square().sum()
        return self._to_host(torch.stack([*losses, squares]))

    def _step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        rate = self._schedule.at(self._steps)
        self._steps += 1
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = F.cross_entropy(self._logits(images), labels, self._class_weights)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        return loss.detach()

    def wait(self, pending: _Pending) -> Progress:
        """Losses, and the sum of squares of all trained tensors after the block."""
        numbers = self._arrived(pending)
        return Progress(numbers[:-1].copy(), float(numbers[-1]))

    def weights(self) -> Weights:
        """Copies of every tensor on the host."""
        return unload(self._tensors)


class TorchPredictor(_Engine):
    """Inference with BatchNorm folded into the convolutions."""

    def __init__(self, workload: Workload, weights: Weights, device: str, settings: Settings, graph: bool = False) -> None:
        super().__init__(device, settings)
        self._network, self._batch_size = workload.network, settings.batch_size
        if graph:
            self.compile = self._compile
        self._probabilities: Logits = freeze(workload.network, weights, self._device, self._kinds)
        self.lowering = f"{'oneDNN graph' if graph else 'torch eager'}, channels_last, BatchNorm folded"

    def _compile(self) -> None:
        """Build the graph for the settings' batch size."""
        self._probabilities = as_graph(self._probabilities, self._network, self._batch_size)

    def stage(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """Copy one batch to the device."""
        return self._to_device(images)

    def run(self, staged: torch.Tensor) -> _Pending:
        """The forward pass."""
        with torch.inference_mode():
            return self._to_host(self._probabilities(staged))

    def wait(self, pending: _Pending) -> NDArray[np.floating]:
        """Probabilities (batch, classes), copied so that the pinned block they arrived in can be used again at once."""
        return self._arrived(pending).copy()


def _optimizer(workload: Workload, tensors: dict[str, torch.Tensor]) -> torch.optim.Optimizer:
    spec: Optimizer = workload.optimizer
    decayed = frozenset(filter(trainable, tensors)) if spec.decay_all else decays(workload.network)
    groups = [
        {"params": [t for n, t in tensors.items() if trainable(n) and n in decayed], "weight_decay": spec.weight_decay},
        {"params": [t for n, t in tensors.items() if trainable(n) and n not in decayed], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    rate = spec.schedule.at(0)
    if isinstance(spec, SGD):
        return torch.optim.SGD(groups, lr=rate, momentum=spec.momentum, nesterov=spec.nesterov, fused=True)
    return torch.optim.AdamW(groups, lr=rate, betas=(spec.beta1, spec.beta2), eps=spec.epsilon, fused=True)
