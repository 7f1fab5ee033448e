"""Where a process's steady state begins.

The times of a pilot are cut into segments at their change points (as Barrett et al. do, Virtual Machine Warmup Blows Hot and
Cold, OOPSLA 2017, section 4). The steady state begins with the first segment that is as fast as the fastest lasting one:
code becomes faster by warming up, while a machine's neighbours make it slower, and faster again, at any time. What the pilot
finds is frozen for all trials that are compared, and each trial is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bench.statistics.changes import change_points, spread_of

EQUAL = 0.01
"""Segments whose mean log-times differ by less are equally fast; noisy series are given two deviations of their mean."""

FEWEST_STEADY = 5


def steady_from(samples: Sequence[float]) -> int | None:
    """Index of the first steady sample, seconds each; None where too few are left to tell, or the end still becomes faster."""
    values = np.log(np.asarray(samples, np.float64))
    cuts = [0, *change_points(values), len(values)]
    if len(values) < 2 * FEWEST_STEADY or not np.isfinite(values).all():
        return None
    segments = [values[start:stop] for start, stop in pairwise(cuts)]
    deviation = spread_of(values)
    lasting = [segment for segment in segments if len(segment) >= FEWEST_STEADY or segment is segments[-1]]
    fastest = min(lasting, key=lambda segment: float(np.median(segment)))
    for start, segment in zip(cuts, segments, strict=False):
        room = EQUAL + 2 * deviation * (1 / len(segment) + 1 / len(fastest)) ** 0.5
        if float(np.median(segment) - np.median(fastest)) <= room:
            return start if len(values) - start >= FEWEST_STEADY else None
    return None
