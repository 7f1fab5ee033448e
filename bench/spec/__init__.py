"""The specification language for plugins: networks, losses and optimizers as data.

What only the harness needs (initial weights, counts of operations) is imported from its own module; the others load no NumPy.
"""

from bench.spec.layers import (
    AveragePool,
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Sequential,
    SiLU,
    sequential,
)
from bench.spec.shapes import join, walk
from bench.spec.tensors import Weights, decays, trainable
from bench.spec.training import SGD, AdamW, CrossEntropy, Optimizer, Schedule

__all__ = [
    "SGD",
    "AdamW",
    "AveragePool",
    "BatchNorm",
    "Conv2d",
    "CrossEntropy",
    "Dense",
    "Flatten",
    "GlobalAveragePool",
    "Layer",
    "MaxPool",
    "Network",
    "Optimizer",
    "ReLU",
    "Residual",
    "Schedule",
    "Sequential",
    "SiLU",
    "Weights",
    "decays",
    "join",
    "sequential",
    "trainable",
    "walk",
]
