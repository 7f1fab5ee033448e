"""JAX's trainer and predictor: ahead-of-time compiled steps with donated state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

from backends.jax_lowering import apply, from_jax, numerics, to_jax
from bench.contract import Progress, Settings, Workload
from bench.spec import SGD, CrossEntropy, Weights, decays, trainable

# Every dtype in this backend is written out, so 64-bit mode changes nothing but what float64 proofs need.
jax.config.update("jax_enable_x64", True)

Batch = tuple[Array, Array]


def find_device(name: str) -> Any:
    """The JAX device called ``jax:PLATFORM:INDEX``."""
    _, platform, index = name.split(":")
    return jax.devices(platform)[int(index)]


class _Engine:
    def __init__(self, workload: Workload, device: str, settings: Settings) -> None:
        self._workload, self._settings = workload, settings
        self._device = find_device(device)
        self._kinds = numerics(settings.precision)
        self._on_host = self._device.platform == "cpu"
        self.lowering = f"XLA convolutions, NHWC{', matrix products where they are faster' if self._on_host else ''}"
        if settings.cache_dir is not None:
            jax.config.update("jax_compilation_cache_dir", str(settings.cache_dir))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

    def _put(self, value: Any) -> Any:
        return jax.device_put(value, self._device)

    def _images(self) -> Any:
        net = self._workload.network
        return self._put(np.zeros((self._settings.batch_size, net.height, net.width, 3), np.uint8))

    def device_memory(self) -> int:
        """Peak bytes that JAX set aside on the device, the free part of its pool included.

        Peak bytes in use where JAX gives no figure for the pool; 0 where it counts nothing.
        """
        counted = self._device.memory_stats() or {}
        return int(counted.get("peak_pool_bytes") or counted.get("peak_bytes_in_use", 0))


class JaxTrainer(_Engine):
    """One compiled call per optimizer step; the old state's memory becomes the new state's."""

    def __init__(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> None:
        super().__init__(workload, device, settings)
        arrays = to_jax(weights, self._kinds.state)
        self._trained = self._put({name: value for name, value in arrays.items() if trainable(name)})
        self._statistics = self._put({name: value for name, value in arrays.items() if not trainable(name)})
        self._optimizer = _optimizer(workload, self._trained)
        with jax.default_device(self._device):
            self._memory = self._put(self._optimizer.init(self._trained))
        self._steps = 0
        self._call = jax.jit(self._step, donate_argnums=(0, 1, 2))
        self._squares = jax.jit(lambda tree: sum(jnp.square(x).sum() for x in jax.tree.leaves(tree)))

    def _step(self, trained: Any, statistics: Any, memory: Any, images: Array, labels: Array, rate: Array) -> Any:
        def loss(trained: Any) -> tuple[Array, dict[str, Array]]:
            logits, moved = apply(self._workload.network, trained | statistics, images, self._kinds, True, self._on_host)
            return cross_entropy(self._workload.loss, logits, labels), moved

        (value, moved), gradients = jax.value_and_grad(loss, has_aux=True)(trained)
        updates, memory = self._optimizer.update(gradients, memory, trained)
        trained = jax.tree.map(lambda weight, update: weight - rate * update, trained, updates)
        return trained, statistics | moved, memory, value

    def compile(self) -> None:
        """Build the step and the sum of squares for the settings' batch size."""
        labels = self._put(np.zeros(self._settings.batch_size, np.int32))
        rate = self._put(np.zeros((), self._kinds.state))
        arguments = (self._trained, self._statistics, self._memory, self._images(), labels, rate)
        self._call = self._call.lower(*arguments).compile()
        self._squares = self._squares.lower(self._trained).compile()

    def stage(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> Batch:
        """Copy one batch to the device."""
        batch: Batch = self._put((images, labels))
        return batch

    def run(self, block: Sequence[Batch]) -> tuple[list[Array], Array]:
        """Dispatch one step per batch."""
        losses = []
        for images, labels in block:
            rate = np.asarray(self._workload.optimizer.schedule.at(self._steps), self._kinds.state)
            self._steps += 1
            state = (self._trained, self._statistics, self._memory, images, labels, self._put(rate))
            self._trained, self._statistics, self._memory, loss = self._call(*state)
            losses.append(loss)
        return losses, self._squares(self._trained)

    def wait(self, pending: tuple[list[Array], Array]) -> Progress:
        """Losses, and the sum of squares of all trained tensors after the block."""
        losses, squares = jax.device_get(pending)
        return Progress(np.asarray(losses), float(squares))

    def weights(self) -> Weights:
        """Copies of every tensor on the host."""
        return from_jax(self._trained | self._statistics)


class JaxPredictor(_Engine):
    """One compiled call per batch."""

    def __init__(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> None:
        super().__init__(workload, device, settings)
        self._arrays = self._put(to_jax(weights, self._kinds.state))
        self._call: Any = jax.jit(self._probabilities)

    def _probabilities(self, arrays: Any, images: Array) -> Array:
        logits, _ = apply(self._workload.network, arrays, images, self._kinds, False, self._on_host)
        return jax.nn.softmax(logits, axis=1)

    def compile(self) -> None:
        """Build the forward pass for the settings' batch size."""
        self._call = self._call.lower(self._arrays, self._images()).compile()

    def stage(self, images: NDArray[np.uint8]) -> Array:
        """Copy one batch to the device."""
        return self._put(images)

    def run(self, staged: Array) -> Array:
        """Dispatch the forward pass."""
        result: Array = self._call(self._arrays, staged)
        return result

    def wait(self, pending: Array) -> NDArray[np.floating]:
        """Probabilities (batch, classes)."""
        return np.asarray(pending)


def cross_entropy(spec: CrossEntropy, logits: Array, labels: Array) -> Array:
    """The spec's weighted mean."""
    log_likelihood = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None].astype(np.int32), axis=1)[:, 0]
    if spec.class_weights is None:
        return -log_likelihood.mean()
    weight = jnp.asarray(spec.class_weights, logits.dtype)[labels]
    return -(weight * log_likelihood).sum() / weight.sum()


def _optimizer(workload: Workload, trained: dict[str, Array]) -> optax.GradientTransformation:
    """What is subtracted, before the learning rate: optax's chain in the spec's order."""
    spec = workload.optimizer
    decayed = decays(workload.network)
    mask = {name: spec.decay_all or name in decayed for name in trained}
    decay = optax.add_decayed_weights(spec.weight_decay, mask)
    if isinstance(spec, SGD):
        return optax.chain(decay, optax.trace(spec.momentum, spec.nesterov))
    return optax.chain(optax.scale_by_adam(spec.beta1, spec.beta2, spec.epsilon), decay)
