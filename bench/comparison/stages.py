"""Which stage of a trial moved, and whether memory did."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from bench.comparison.model import StageChange
from bench.record.figures import device_memory, host_memory, stages
from bench.record.schema import Trial
from bench.statistics.pairs import welch

STAGES = {"import": ("import",), "prepare": ("data", "build"), "compile": ("compile",), "first step": ("first_step",)}
"""Name for people, and the stages it adds up; the steady state is judged apart."""

MOVED = 0.05
LEVEL = 0.005
"""One-sided: some ten figures a case, and no verdict hangs on them."""


def stage_changes(base: Sequence[Trial], candidate: Sequence[Trial]) -> tuple[StageChange, ...]:
    """Every stage and peak of memory that both sides have."""
    figures: dict[str, Callable[[Trial], float]] = {name: _adding(parts) for name, parts in STAGES.items()}
    figures |= {
        "host memory": lambda trial: float(host_memory(trial)),
        "device memory": lambda trial: float(device_memory(trial)),
    }
    found = []
    for name, figure in figures.items():
        one, two = [figure(trial) for trial in base], [figure(trial) for trial in candidate]
        if min(one, default=0.0) > 0 and min(two, default=0.0) > 0:
            found.append(_change(name, one, two))
    return tuple(found)


def _adding(names: Sequence[str]) -> Callable[[Trial], float]:
    return lambda trial: sum(stages(trial).get(name, 0.0) for name in names)


def _change(name: str, base: list[float], candidate: list[float]) -> StageChange:
    logs = np.log(base), np.log(candidate)
    moved = False
    if min(len(base), len(candidate)) > 1:
        effect = welch(logs[0], logs[1], LEVEL)
        moved = abs(effect.log_ratio) > math.log1p(MOVED) and (effect.low > 0 or effect.high < 0)
    return StageChange(name, math.exp(logs[0].mean()), math.exp(logs[1].mean()), moved)
