"""A bare, hand-written PyTorch training loop of the melanoma networks: what the harness is held against.

Run as ``python bare_loop.py SIZE BATCH``; for each number read from standard input, makes as many steps and prints the
seconds they took. No accelbench code is imported. Functions rather than ``nn.Module``, whose calls and batch counters would
add one to two per cent to the smallest network's step.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

Tensor = torch.Tensor


class Parameters:
    """Makes tensors in the order of their first use, and gives them back in the same order ever after."""

    def __init__(self) -> None:
        self.kernels: list[Tensor] = []
        self.norms: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self.at_kernel = self.at_norm = 0

    def conv(self, x: Tensor, width: int, kernel: int, stride: int, padding: int) -> Tensor:
        if self.at_kernel == len(self.kernels):
            weight = torch.empty(width, x.shape[1], kernel, kernel)
            torch.nn.init.kaiming_uniform_(weight, nonlinearity="relu", mode="fan_out")
            self.kernels.append(weight.contiguous(memory_format=torch.channels_last).requires_grad_())
        weight = self.kernels[self.at_kernel]
        self.at_kernel += 1
        return F.conv2d(x, weight, None, stride, padding)

    def norm(self, x: Tensor) -> Tensor:
        if self.at_norm == len(self.norms):
            ones, zeros = torch.ones(x.shape[1]), torch.zeros(x.shape[1])
            self.norms.append((ones.clone().requires_grad_(), zeros.clone().requires_grad_(), zeros, ones))
        weight, bias, mean, variance = self.norms[self.at_norm]
        self.at_norm += 1
        return F.batch_norm(x, mean, variance, weight, bias, True, 0.1, 1e-5)

    def dense(self, x: Tensor) -> Tensor:
        if self.at_kernel == len(self.kernels):
            weight = torch.nn.init.xavier_uniform_(torch.empty(2, x.shape[1]))
            self.kernels.append(weight.requires_grad_())
            self.bias = torch.zeros(2, requires_grad=True)
        return F.linear(x, self.kernels[self.at_kernel], self.bias)

    def restart(self) -> None:
        self.at_kernel = self.at_norm = 0


def block(p: Parameters, x: Tensor, width: int, stride: int) -> Tensor:
    y = F.relu(p.norm(p.conv(x, width, 3, stride, 1)))
    y = p.norm(p.conv(y, width, 3, 1, 1))
    short = x if x.shape[1] == width and stride == 1 else p.norm(p.conv(x, width, 1, stride, 0))
    return F.relu(y + short)


def tiny(p: Parameters, x: Tensor) -> Tensor:
    x = F.relu(p.norm(p.conv(x, 16, 3, 1, 1)))
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        x = block(p, x, width, stride)
    return p.dense(x.mean((2, 3)))


def small(p: Parameters, x: Tensor) -> Tensor:
    x = F.max_pool2d(F.relu(p.norm(p.conv(x, 64, 7, 2, 3))), 3, 2, 1)
    for stage in range(4):
        x = block(p, x, 64 * 2**stage, 2 if stage else 1)
        x = block(p, x, 64 * 2**stage, 1)
    return p.dense(x.mean((2, 3)))


def main(size: str, batch: int) -> None:
    pixels, network = {"tiny": (28, tiny), "small": (64, small)}[size]
    p = Parameters()
    network(p, torch.zeros(2, 3, pixels, pixels))
    plain = [p.bias, *(tensor for norm in p.norms for tensor in norm[:2])]
    groups = [{"params": p.kernels, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=True, fused=True)
    weights = torch.tensor([1.0, 4.0])
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    scale, shift = 1 / (255 * std), -mean / std
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2048, pixels, pixels, 3), dtype=np.uint8)
    labels = rng.integers(0, 2, 2048)

    def step(at: int) -> None:
        start = at * 37 % (2048 - batch)
        x = torch.from_numpy(images[start : start + batch]).permute(0, 3, 1, 2).float().mul_(scale).add_(shift)
        p.restart()
        loss = F.cross_entropy(network(p, x), torch.from_numpy(labels[start : start + batch]), weights)
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
