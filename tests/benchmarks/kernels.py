"""Where a step's time goes, by class of kernel.

    python tests/benchmarks/kernels.py --backend cuda --size standard --precision bf16 --option step=graph

PyTorch's profiler: on a GPU the kernels that ran there, on the host each operator's own time, summed over threads' callers. Shares are of
all kernels' time; the step's time beside them is the wall clock's, without the profiler.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from backends.cpu import CpuBackend
from backends.cuda import CudaBackend
from bench.contract import Settings
from bench.machine.host import usable_cores
from bench.spec.weights import initial_weights
from bench.verify.equivalence import compiled
from workloads.melanoma import bench_workloads

CLASSES = (  # the first whose pattern a kernel's name matches
    ("norms", r"batch_?norm|bn_|welford"),
    ("optimizer", r"fused_?sgd|fused_?adam|multi_tensor|foreach|FusedOptimizer"),
    ("convolutions and products", r"conv|gemm|xmma|cutlass|nvjet|wgrad|dgrad|linear|addmm|aten::mm|Llga|Fusion"),
    ("pooling", r"pool"),
    ("copies and casts", r"memcpy|memset|copy|fill|zero|clone|contiguous|nchwTo|nhwcTo"),
    ("reductions", r"reduce|triton_(red|per)|sum|mean|softmax|nll_loss|norm"),
    ("elementwise", r"elementwise|triton_poi|relu|threshold|add|mul"),
)
STEPS = 10
BACKENDS = {"cpu": (CpuBackend, "cpu"), "cuda": (CudaBackend, "cuda:0")}


def main() -> None:
    """A line per class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=BACKENDS, default="cpu")
    parser.add_argument("--size", choices=["tiny", "small", "standard"], default="small")
    parser.add_argument("--phase", choices=["train", "infer"], default="train")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    work = steps(given)
    work(STEPS)
    started = time.perf_counter()
    work(STEPS)
    step = (time.perf_counter() - started) / STEPS
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (given.backend == "cuda")
    with profile(activities=activities) as found:
        work(STEPS)
    times: Counter[str] = Counter()
    for event in found.key_averages():
        if given.backend == "cpu":
            times[kind(event.key)] += event.self_cpu_time_total
        elif event.device_type == DeviceType.CUDA and not event.is_user_annotation:  # which span kernels counted already
            times[kind(event.key)] += event.self_device_time_total
    total = sum(times.values())
    print(f"{vars(given)}: {1e3 * step:.2f} ms a step, kernels {total / STEPS / 1e3:.2f} ms")
    for name, spent in times.most_common():
        print(f"{name:28} {spent / STEPS / 1e3:9.3f} ms {100 * spent / total:5.1f} %")


def kind(name: str) -> str:
    """The class of a kernel."""
    return next((title for title, pattern in CLASSES if re.search(pattern, name, re.IGNORECASE)), "other")


def steps(given: argparse.Namespace) -> Callable[[int], object]:
    """Something that does so many training steps, or batches of inference."""
    make, device = BACKENDS[given.backend]
    workload = next(found for found in bench_workloads() if found.size == given.size)
    network, batch = workload.network, given.batch_size or workload.batch_size
    options = dict(option.split("=", 1) for option in given.option)
    settings = Settings(given.precision, batch, usable_cores(), options=options)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, network.height, network.width, 3), dtype=np.uint8)
    labels = rng.integers(0, network.classes, batch).astype(np.int32)
    weights = initial_weights(network, 0)
    if given.phase == "infer":
        predictor = compiled(make().predictor(workload, weights, device, settings))
        return lambda count: [predictor.wait(predictor.run(predictor.stage(images))) for _ in range(count)]
    trainer = compiled(make().trainer(workload, weights, device, settings))
    return lambda count: trainer.wait(trainer.run([trainer.stage(images, labels) for _ in range(count)]))


if __name__ == "__main__":
    main()
