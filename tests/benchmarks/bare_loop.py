"""A bare, hand-written PyTorch training loop of the melanoma networks: what the harness is held against.

Run as ``python bare_loop.py SIZE BATCH``; for each number read from standard input, makes as many steps and prints the
seconds they took. No accelbench code is imported.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        plain = inputs == width and stride == 1
        self.short = (
            nn.Identity() if plain else nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.short(x))


def tiny() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2),
    )  # fmt: skip


def small() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage in range(4):
        width = 64 * 2**stage
        layers += [Block(channels, width, 2 if stage else 1), Block(width, width, 1)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2))


def main(size: str, batch: int) -> None:
    pixels = {"tiny": 28, "small": 64}[size]
    model = {"tiny": tiny, "small": small}[size]().to(memory_format=torch.channels_last).train()
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": decay, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0.0}]
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
        loss = F.cross_entropy(model(x), torch.from_numpy(labels[start : start + batch]), weights)
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
