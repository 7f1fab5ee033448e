"""A bare training loop of the melanoma networks: what the harness is held against.

Run as ``python bare_loop.py SIZE BATCH``; for each number read from standard input, makes as many steps and prints the
seconds they took. The network is a function that the ``cpu`` backend's lowering made, so that the arithmetic is the same; around it
are PyTorch's loss and optimizer, at the schedule's first rate, and nothing else: no blocks, no witness, no worker. What the lowering itself
costs does not show.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from backends.torch_engine import optimizer_of
from backends.torch_lowering import load, lower, numerics
from bench.spec.weights import initial_weights
from workloads.melanoma import bench_workloads

IMAGES = 2048


def main(size: str, batch: int) -> None:
    """Steps as asked for on standard input."""
    workload = next(workload for workload in bench_workloads() if workload.size == size)
    network, kinds = workload.network, numerics("fp32")
    tensors = load(initial_weights(network, 0), torch.device("cpu"), kinds.state, train=True)
    logits = lower(network, tensors, kinds, training=True)
    optimizer = optimizer_of(workload, tensors, torch.device("cpu"))
    weights = torch.tensor(workload.loss.class_weights)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, network.height, network.width, 3), dtype=np.uint8)
    labels = rng.integers(0, network.classes, IMAGES)

    def step(at: int) -> None:
        start = at * 37 % (IMAGES - batch)
        loss = F.cross_entropy(
            logits(torch.from_numpy(images[start : start + batch])), torch.from_numpy(labels[start : start + batch]), weights
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    at = 0
    for line in sys.stdin:
        steps = int(line)
        begun = time.perf_counter()
        for _ in range(steps):
            step(at)
            at += 1
        print(time.perf_counter() - begun, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
