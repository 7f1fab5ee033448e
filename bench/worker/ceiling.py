"""Ceilings: the fastest arithmetic, reading of memory and copying that a device shows, measured through the backend itself.

The specs are ordinary networks (wide Dense, wide Conv2d, wide Dense for one image, whose weights are all there is to read,
and one that does nothing but read its input), so a stranger's backend has ceilings too. No single product is taken for a ceiling: libraries differ, and the best over all shapes, batch
sizes and backends counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.contract import Backend, Settings, UnsupportedLayer, Workload
from bench.spec import (
    OPERAND_BYTES,
    SGD,
    Conv2d,
    CrossEntropy,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    Network,
    Schedule,
    Weights,
    forward_flops,
    parameter_count,
    sequential,
    tensor_shapes,
)
from bench.verify.equivalence import compiled
from bench.worker.answers import Reached
from bench.worker.channel import Channel, out_of_memory
from bench.worker.jobs import MeasureCeiling
from bench.worker.plugins import find_backend
from bench.worker.timing import seconds_per_step

SECONDS_PER_SHAPE = 0.3
MOST_BATCH_BYTES = 256 * 2**20


@dataclass(frozen=True)
class _Shape:
    name: str
    kind: Literal["arithmetic", "memory", "copy"]
    network: Network
    batch_sizes: tuple[int, ...]


def measure_ceiling(job: MeasureCeiling, channel: Channel) -> list[Reached]:
    """The best rate of each kind on one device in one precision."""
    channel.stage("import")
    backend = find_backend(job.backend, job.name)
    device = next(device for device in backend.probe().devices if device.id == job.device)
    best: dict[str, Reached] = {}
    channel.stage("ceiling")
    for shape in _shapes(device.kind):
        for reached in _rates(backend, job, shape):
            channel.beat(0, 0, f"{reached.shape}: {reached.rate:.3g}")
            if reached.kind not in best or reached.rate > best[reached.kind].rate:
                best[reached.kind] = reached
    return list(best.values())


def _shapes(kind: str) -> Iterator[_Shape]:
    wide, channels = (2048, 128) if kind == "cpu" else (8192, 256)
    batches = (64, 256, 1024) if kind == "cpu" else (1024, 4096, 16384)
    yield _Shape(f"Dense {wide}", "arithmetic", _dense(wide), batches)
    wide = 4096 if kind == "cpu" else 8192  # 268 MB and 1.1 GB of weights in fp32, more than caches close to cores hold
    yield _Shape(f"Dense {wide}", "memory", _dense(wide), (1,))
    conv: dict[str, Layer] = {"into": Conv2d(3, channels, 3, padding=1)}
    conv |= {f"conv{i}": Conv2d(channels, channels, 3, padding=1) for i in range(4)}
    conv |= {"pool": GlobalAveragePool(), "head": Dense(channels, 2)}
    images = (4, 16) if kind == "cpu" else (64, 256, 1024)
    yield _Shape(f"Conv2d 3x3 {channels} at 28x28", "arithmetic", Network(28, 28, 2, sequential(**conv)), images)
    read = sequential(pool=GlobalAveragePool(), head=Dense(3, 2))
    yield _Shape("input 256x256", "copy", Network(256, 256, 2, read), (16, 64, 256))


def _dense(wide: int) -> Network:
    layers: dict[str, Layer] = {"flat": Flatten(), "into": Dense(768, wide)}
    layers |= {f"dense{i}": Dense(wide, wide, bias=False) for i in range(4)} | {"head": Dense(wide, 2)}
    return Network(16, 16, 2, sequential(**layers))


def _rates(backend: Backend, job: MeasureCeiling, shape: _Shape) -> Iterator[Reached]:
    """Rising batch sizes while they get faster."""
    fastest = 0.0
    network = shape.network
    for batch_size in shape.batch_sizes:
        if batch_size * network.height * network.width * 3 > MOST_BATCH_BYTES:
            return
        try:
            step = _seconds(backend, job, network, batch_size)
        except UnsupportedLayer:
            return
        except Exception as error:
            if out_of_memory(error):
                return  # what smaller batches reached still counts
            raise
        rate = _moved(shape, job.precision, batch_size) / step
        yield Reached(shape.kind, rate, f"{shape.name}, batch {batch_size}, {job.name}")
        if rate < fastest * 1.02:
            return
        fastest = max(fastest, rate)


def _moved(shape: _Shape, precision: str, batch_size: int) -> float:
    """Of one step: operations, or bytes."""
    network = shape.network
    if shape.kind == "memory":
        return float(parameter_count(network) * OPERAND_BYTES[precision])
    return float(batch_size * (forward_flops(network) if shape.kind == "arithmetic" else network.height * network.width * 3))


def _seconds(backend: Backend, job: MeasureCeiling, network: Network, batch_size: int) -> float:
    settings = Settings(job.precision, batch_size, job.threads)
    workload = _workload(network)
    predictor = compiled(backend.predictor(workload, _random_weights(network), job.device, settings))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, batch_size, network.height, network.width, 3), dtype=np.uint8)

    def run(steps: int) -> None:
        pending = predictor.run(predictor.stage(images[0]))
        for step in range(1, steps):
            following = predictor.run(predictor.stage(images[step % 2]))
            predictor.wait(pending)
            pending = following
        predictor.wait(pending)

    run(2)
    return min(seconds_per_step(run, SECONDS_PER_SHAPE) for _ in range(2))


def _workload(network: Network) -> Workload:
    return Workload(
        name="ceiling",
        size="",
        network=network,
        loss=CrossEntropy(),
        optimizer=SGD(Schedule(0.1)),
        batch_size=1,
        epochs=1,
        seed=0,
        classes=("a", "b"),
        data=None,
    )


def _random_weights(network: Network) -> Weights:
    """Normal numbers of unit gain: random data, because zeros and ones draw less power and run at higher clocks."""
    rng = np.random.default_rng(0)
    weights = {}
    for name, shape in tensor_shapes(network).items():
        fan_in = int(np.prod(shape[1:])) or 1
        weights[name] = rng.standard_normal(shape, dtype=np.float32) * np.float32(fan_in**-0.5)
    return weights
