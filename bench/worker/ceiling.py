"""Ceilings: the fastest arithmetic, reading of memory and copying that a device shows, measured through the backend itself.

The specs are ordinary networks (wide Dense, wide Conv2d, wide Dense for one image, whose weights are all there is to read,
and one that does nothing but read its input), so a stranger's backend has ceilings too. No single product is taken for a ceiling: libraries differ, and the best over all shapes, batch
sizes and backends counts.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np

from bench.contract import Backend, Settings, UnsupportedLayer, Workload
from bench.precisions import OPERAND_BYTES
from bench.spec import (
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
    sequential,
)
from bench.spec.counts import forward_flops, parameter_count
from bench.spec.tensors import tensor_shapes
from bench.verify.equivalence import compiled
from bench.worker.answers import Reached
from bench.worker.channel import Channel, out_of_memory
from bench.worker.feed import Feed
from bench.worker.jobs import MeasureCeiling
from bench.worker.plugins import find_backend
from bench.worker.search import MOST_WAYS, check_ways, say_way
from bench.worker.timing import run_pipelined, seconds_per_step

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
    backend = find_backend(job.backend, job.case.backend)
    device = next(device for device in backend.probe().devices if device.id == job.place.device)
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
    """Yield what each batch size reaches, in rising order, while they get faster."""
    fastest = 0.0
    network = shape.network
    for batch_size in shape.batch_sizes:
        if batch_size * network.height * network.width * 3 > MOST_BATCH_BYTES:
            return
        try:
            step, way = _quickest(backend, job, shape, batch_size)
        except UnsupportedLayer:
            return
        except Exception as error:
            if out_of_memory(error):
                return  # what smaller batches reached still counts
            raise
        rate = _moved(shape, job.case.precision, batch_size) / step
        yield Reached(shape.kind, rate, f"{shape.name}, batch {batch_size}, {job.case.backend}{way}")
        if rate < fastest * 1.02:
            return
        fastest = max(fastest, rate)


def _moved(shape: _Shape, precision: str, batch_size: int) -> float:
    """Return the operations of one step, or the bytes that it moves."""
    network = shape.network
    if shape.kind == "memory":
        return float(parameter_count(network) * OPERAND_BYTES[precision])
    return float(batch_size * (forward_flops(network) if shape.kind == "arithmetic" else network.height * network.width * 3))


def _quickest(backend: Backend, job: MeasureCeiling, shape: _Shape, batch_size: int) -> tuple[float, str]:
    """Seconds per batch, and in which of the backend's ways where it is not the usual one.

    Reading memory is tried in every way: its batch of one image is over so soon that launching its operations one by one would
    be what is measured. Raises what the usual way raises.
    """
    settings, workload = Settings(job.case.precision, batch_size, job.cores), _workload(shape.network)
    offered = getattr(backend, "alternatives", None)
    ways: Sequence[Mapping[str, str]] = []
    if offered is not None and shape.kind == "memory":
        ways = list(islice(offered(workload, "infer", settings), MOST_WAYS + 1))
        check_ways(ways)
    best = _seconds(backend, job, workload, settings), ""
    for way in ways[1:]:
        gc.collect()
        try:
            step = _seconds(backend, job, workload, replace(settings, options=way))
        except Exception as error:  # a way that does not work here leaves the others
            traceback.print_exception(error)
            continue
        best = min(best, (step, f", {say_way(way)}"))
    return best


def _seconds(backend: Backend, job: MeasureCeiling, workload: Workload, settings: Settings) -> float:
    network = workload.network
    predictor = compiled(backend.predictor(workload, _random_weights(network), job.place.device, settings))
    rng = np.random.default_rng(0)
    count = 2 * settings.batch_size
    images = rng.integers(0, 256, (count, network.height, network.width, 3), dtype=np.uint8)
    feed = Feed(
        (images, np.zeros(count, np.int32)), settings.batch_size, 0
    )  # a ceiling that is remembered would mark nothing

    def run(steps: int) -> None:
        run_pipelined(lambda: predictor.run(predictor.stage(feed.next()[0])), predictor.wait, steps)

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
