"""Where a process's steady state begins.

The times of a pilot are cut into segments at their change points; the steady state is the last segment and those before it
that are as fast as it is (the method of Barrett et al., Virtual Machine Warmup Blows Hot and Cold, OOPSLA 2017, section 4).
What the pilot finds is frozen for all trials that are compared, and looked at again in each.
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
    """Index of the first steady sample, seconds each; None where too few are left to tell, or the end is still moving."""
    values = np.log(np.asarray(samples, np.float64))
    cuts = [0, *change_points(values), len(values)]
    if len(values) < 2 * FEWEST_STEADY or not np.isfinite(values).all():
        return None
    segments = [values[start:stop] for start, stop in pairwise(cuts)]
    last, deviation = segments[-1], spread_of(values)
    first = len(segments) - 1
    for at in range(first - 1, -1, -1):
        segment = segments[at]
        room = EQUAL + 2 * deviation * (1 / len(segment) + 1 / len(last)) ** 0.5
        if abs(float(np.median(segment) - np.median(last))) > room:
            break
        first = at
    return cuts[first] if len(values) - cuts[first] >= FEWEST_STEADY else None
