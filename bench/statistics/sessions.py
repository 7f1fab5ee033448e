"""A stored baseline: is one more session of the candidate outside of what sessions of the base are like?

Trials of one session share its hour, its neighbours and its page layout, so they say nothing of how sessions differ. The
session is the unit here, and the bound is that of a prediction: mean and spread of the base's sessions, and room for the
candidate's own deviation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.errors import NoFigure
from bench.statistics.pairs import Effect, with_interval

FEWEST_SESSIONS = 5


def predicted(base: Sequence[float], candidate: Sequence[float], level: float, pass_level: float | None = None) -> Effect:
    """The candidate's sessions against the base's, each y = mean ln(seconds per image) of one session.

    The spread between sessions is the base's, for both: s * sqrt(1/k + 1/m), Student's t with k - 1 degrees of freedom. The one-sided
    error is ``level`` at the lower end of the interval, and ``pass_level`` (None: the same) at the upper one. Raises NoFigure with fewer than ``FEWEST_SESSIONS`` sessions of the base, or none of the candidate.
    """
    if len(base) < FEWEST_SESSIONS:
        raise NoFigure(
            f"the baseline holds {len(base)} session{'' if len(base) == 1 else 's'}; how sessions differ can be told from "
            f"{FEWEST_SESSIONS} or more: measure {FEWEST_SESSIONS - len(base)} more of the base, or both side by side with --against"
        )
    if not candidate:
        raise NoFigure("no session of the candidate")
    values = np.asarray(base, np.float64)
    if not (np.isfinite(values).all() and np.isfinite(candidate).all()):
        raise NoFigure("a session whose time is not a number")
    k = len(values)
    error = float(values.std(ddof=1)) * math.sqrt(1 / k + 1 / len(candidate))
    mean = float(np.mean(candidate) - values.mean())
    return with_interval(mean, error, k - 1, k, level, pass_level)
