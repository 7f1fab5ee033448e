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
    own: float = 0.0  # by how much a block is faster that follows one of its own arm
    second: float = 0.0  # by how much the process is faster that is started second
    wave: float = 0.0  # amplitude of something that comes and goes every ``PERIOD`` blocks, whichever arm is working
    bad_candidates: float = (
        0.0  # fraction of the candidate's processes that take ``bad_times`` as long, for their whole life
    )
    bad_times: float = 2.0


TYPICAL = Machine()
"""Pairs scatter by 2 %: the simulation prints what they really do."""

SPIKY = Machine(spiky_processes=0.1)
"""And one process in ten badly off for its whole life."""

UNEVEN = Machine(process=0.026)
"""Pairs scatter by 4 %."""

ORDERED = Machine(own=0.047, second=0.008)
"""The typical machine, and what the order in turns does to a block and to a process, as large as it was once measured."""

PERIOD = 4
"""Blocks of both arms after which a periodic disturbance comes again: as often as an arm begins a round, which is the worst."""

PERIODIC = Machine(own=0.047, second=0.008, wave=0.02)
"""And a periodic disturbance that hits the blocks of one arm for the whole of a pair."""


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
    """Seconds (pairs, arm, block) of a check in turns; arm 1 is the candidate, slower by the fraction ``slowdown``.

    As in ``bench check``, either arm begins one of two successive pairs, and the arm that ends a round begins the next. The warm-up
    before the first block ends with the arm that begins.
    """
    shape = (pairs, 2, blocks)
    begins = (np.arange(pairs) + rng.integers(2, size=(pairs + 1) // 2).repeat(2)[:pairs]) % 2  # the arm of the first block
    second = (
        begins[:, None, None] + np.arange(blocks) + np.arange(2)[:, None]
    ) % 2  # whether an arm is the second of a round
    places = 2 * np.arange(blocks) + second  # of each block among those of both arms
    walk = np.cumsum(rng.normal(0.0, machine.drift, 2 * blocks * pairs)).reshape(pairs, 2 * blocks)
    wave = machine.wave * np.sin(2 * np.pi * (np.arange(2 * blocks) / PERIOD + rng.random((pairs, 1))))
    seen = np.take_along_axis((walk + wave)[:, None, :], places, axis=2)  # by either arm when its turn comes
    noise = rng.normal(0.0, 1.0, shape)
    for at in range(1, blocks):  # an autoregressive series of unit variance
        noise[:, :, at] = (
            machine.autocorrelation * noise[:, :, at - 1] + math.sqrt(1 - machine.autocorrelation**2) * noise[:, :, at]
        )
    own = rng.normal(0.0, machine.process, (pairs, 2, 1))
    own += (rng.random((pairs, 2, 1)) < machine.spiky_processes) * rng.exponential(machine.spike, (pairs, 2, 1))
    hits = (rng.random(shape) < machine.spiky_blocks) * rng.exponential(machine.spike, shape)
    logs = seen + own + machine.block * noise + hits
    logs -= math.log1p(machine.own) * (1 - second)
    logs -= math.log1p(machine.second) * second[:, :, :1]
    logs[:, 1] += math.log1p(slowdown) + (rng.random((pairs, 1)) < machine.bad_candidates) * math.log(machine.bad_times)
    return np.exp(logs)
