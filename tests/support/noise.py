"""Simulated machines: times of blocks as noisy processes on a shared machine give them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCKS = 8
"""As many as a trial of ``bench check`` has by default: 3 s in blocks of 0.4 s."""


@dataclass(frozen=True)
class Machine:
    """Standard deviations and sizes on the logarithmic scale."""

    process: float = 0.0088  # what a process keeps for its whole life: page layout, luck
    block: float = 0.01  # from block to block
    autocorrelation: float = 0.5  # of blocks, within a process
    drift: float = 0.01  # of the machine, per block, a random walk that both arms see
    spiky_blocks: float = 0.1  # fraction of blocks hit by something heavy
    spiky_processes: float = 0.0  # fraction of processes hit for their whole life
    spike: float = 0.3  # mean size of a hit, exponentially distributed


TYPICAL = Machine()
"""Pairs scatter by 2 %: the simulation prints what they really do."""

SPIKY = Machine(spiky_processes=0.1)
"""And one process in ten badly off for its whole life."""

UNEVEN = Machine(process=0.026)
"""Pairs scatter by 4 %."""


@dataclass(frozen=True)
class Stall:
    """A candidate that only stalls now and then: one block in ``every`` takes ``times`` as long."""

    every: int
    times: float

    @property
    def slowdown(self) -> float:
        return (self.times - 1) / self.every

    def on(self, rng: np.random.Generator, times: Array) -> Array:
        """The same seconds (pairs, arm, block) with stalls in arm 1, from a random block on."""
        pairs, _, blocks = times.shape
        hit = (np.arange(blocks) + rng.integers(self.every, size=(pairs, 1))) % self.every == 0
        stalled = times.copy()
        stalled[:, 1] *= np.where(hit, self.times, 1.0)
        return stalled


def simulate(rng: np.random.Generator, machine: Machine, pairs: int, slowdown: float = 0.0, blocks: int = BLOCKS) -> Array:
    """Seconds (pairs, arm, block) of a check in turns; arm 1 is the candidate, slower by the fraction ``slowdown``."""
    shape = (pairs, 2, blocks)
    steps = rng.normal(0.0, machine.drift, (pairs, blocks, 2))
    walk = np.cumsum(steps.reshape(-1)).reshape(pairs, blocks, 2).transpose(0, 2, 1)
    noise = rng.normal(0.0, 1.0, shape)
    for at in range(1, blocks):  # an autoregressive series of unit variance
        noise[:, :, at] = (
            machine.autocorrelation * noise[:, :, at - 1] + math.sqrt(1 - machine.autocorrelation**2) * noise[:, :, at]
        )
    own = rng.normal(0.0, machine.process, (pairs, 2, 1))
    own += (rng.random((pairs, 2, 1)) < machine.spiky_processes) * rng.exponential(machine.spike, (pairs, 2, 1))
    hits = (rng.random(shape) < machine.spiky_blocks) * rng.exponential(machine.spike, shape)
    logs = walk + own + machine.block * noise + hits
    logs[:, 1] += math.log1p(slowdown)
    return np.exp(logs)
