"""How long a trial should be: few long processes, or many short ones (Kalibera and Jones, Rigorous Benchmarking in
Reasonable Time, ISMM 2013, section 6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import NoFigure

FEWEST, MOST = 5, 200


@dataclass(frozen=True)
class Variation:
    """Variance of ln(time) within processes, from sample to sample, and between processes (0 where none shows)."""

    within: float
    between: float


def variation(trials: Sequence[Sequence[float]]) -> Variation:
    """From the steady samples, in seconds, of several processes. Raises NoFigure with fewer than two of two samples."""
    logs = [np.log(np.asarray(samples, np.float64)) for samples in trials]
    if len(logs) < 2 or min(map(len, logs)) < 2:
        raise NoFigure("how processes differ can be told from two processes of two samples or more")
    within = float(np.mean([values.var(ddof=1) for values in logs]))
    length = len(logs) / sum(1 / len(values) for values in logs)
    means = np.array([values.mean() for values in logs])
    return Variation(within, max(float(means.var(ddof=1)) - within / length, 0.0))


def samples_per_trial(found: Variation, sample_seconds: float, process_seconds: float) -> int:
    """Steady samples per process that give the narrowest interval for the time spent, where starting, warming up and checking
    a process costs ``process_seconds``: sqrt(process / sample * within / between), from 5 to 200."""
    if found.between <= 0:
        return MOST if found.within > 0 else FEWEST
    best = math.sqrt(process_seconds / sample_seconds * found.within / found.between)
    return min(max(math.ceil(best), FEWEST), MOST)
