"""The published recipe of MedMNIST's benchmark, trained to its end: what our own recipe is held against.

    python tests/benchmarks/published_recipe.py FILE.npz --checkpoint FILE [--precision bf16|fp32] [--epochs 100]

ResNet-18 with a 3x3 stem of stride 1 and no max-pool, inputs scaled to +-1, no augmentation, Adam at 1e-3, batches of 128, 100
epochs, the rate times 0.1 at epochs 50 and 75, and of all epochs the one with the best validation AUC (Yang et al., Sci. Data
10:41, 2023, "MedMNIST v2"). Seven classes; melanoma's AUC is that of its own probability against the rest. An interrupted
training goes on from its checkpoint; the seconds of every epoch are kept with it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from time import perf_counter

from bench.machine.environment import worker_environment
from bench.machine.host import usable_cores
from bench.worker.quality import accuracy, area_under_curve

BATCH, CLASSES, MELANOMA = 128, 7, 4


def network():
    """ResNet-18 as MedMNIST's benchmark has it, for 28x28."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.first = nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
            )
            self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
            self.shortcut = nn.Identity()
            if stride > 1 or inputs != outputs:
                self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

        def forward(self, x):
            return (self.second(self.first(x)) + self.shortcut(x)).relu()

    parts = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    inputs = 64
    for stage, width in enumerate((64, 128, 256, 512)):
        parts += [Block(inputs, width, 2 if stage else 1), Block(width, width, 1)]
        inputs = width
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES))


class Recipe:
    """One training, epoch by epoch."""

    def __init__(self, data, precision, seed):
        import torch

        torch.set_num_threads(usable_cores())
        torch.manual_seed(seed)
        self.torch, self.bf16 = torch, precision == "bf16"
        self.images = {
            part: torch.from_numpy(data[f"{part}_images"]).permute(0, 3, 1, 2).float().div(127.5).sub(1)
            for part in ("train", "val", "test")
        }
        self.labels = {part: torch.from_numpy(data[f"{part}_labels"].reshape(-1).astype("int64")) for part in self.images}
        self.net = network().to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.net.parameters(), 1e-3, fused=True)

    def epoch(self, rate):
        """One epoch at this learning rate; its mean loss."""
        torch = self.torch
        self.net.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        order, total = torch.randperm(len(self.labels["train"])), 0.0
        for chosen in order.split(BATCH):
            images = self.images["train"][chosen].to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                logits = self.net(images)
            loss = torch.nn.functional.cross_entropy(logits.float(), self.labels["train"][chosen])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach()) * len(chosen)
        return total / len(order)

    def evaluate(self, part):
        """Seven-class AUC (mean of one against the rest), accuracy, and melanoma's AUC."""
        torch = self.torch
        self.net.eval()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            parts = [self.net(images.to(memory_format=torch.channels_last)) for images in self.images[part].split(BATCH)]
        scores, labels = torch.cat(parts).float().softmax(1).double().numpy(), self.labels[part].numpy()
        each = [area_under_curve(scores[:, index], labels == index) for index in range(CLASSES)]
        return {
            "auc": sum(each) / CLASSES,
            "accuracy": accuracy(scores, labels),
            "melanoma": each[MELANOMA],
        }


def rate_at(epoch, epochs):
    """1e-3, a tenth of it from half of the epochs on, a hundredth from three quarters on."""
    return 1e-3 * 0.1 ** ((epoch >= epochs // 2) + (epoch >= 3 * epochs // 4))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    import numpy as np
    import torch

    with np.load(arguments.data, allow_pickle=False) as data:
        recipe = Recipe(data, arguments.precision, arguments.seed)
    curve = []
    if arguments.checkpoint.exists():
        kept = torch.load(arguments.checkpoint, weights_only=True)
        recipe.net.load_state_dict(kept["net"])
        recipe.optimizer.load_state_dict(kept["optimizer"])
        torch.set_rng_state(kept["random"])
        curve = kept["curve"]
    for epoch in range(len(curve), arguments.epochs):
        started = perf_counter()
        loss = recipe.epoch(rate_at(epoch, arguments.epochs))
        validation = recipe.evaluate("val")
        seconds = perf_counter() - started
        # Every epoch's test scores are kept, but only those of the best validation epoch are the recipe's result.
        curve.append({"loss": loss, "val": validation, "test": recipe.evaluate("test"), "seconds": seconds})
        kept = {"net": recipe.net.state_dict(), "optimizer": recipe.optimizer.state_dict(), "curve": curve}
        part = arguments.checkpoint.with_suffix(".part")
        torch.save({**kept, "random": torch.get_rng_state()}, part)
        part.replace(arguments.checkpoint)
        print(f"epoch {epoch + 1}: loss {loss:.4f}, val AUC {validation['auc']:.4f}, {seconds:.1f} s", flush=True)
    best = max(curve, key=lambda point: point["val"]["auc"])
    seconds = sorted(point["seconds"] for point in curve)
    told = {
        "best epoch": curve.index(best) + 1,
        **best["test"],
        "seconds": sum(seconds),
        "median": seconds[len(seconds) // 2],
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    if os.environ.get("RECIPE_ENVIRONMENT") != "set":  # allocator and threads as in every worker of the harness
        environment = {**os.environ, **worker_environment(usable_cores(), {}), "RECIPE_ENVIRONMENT": "set"}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    main()
