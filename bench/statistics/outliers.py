"""Which of many alike things is not like the others, with an error level that holds for all of them together.

Generalized extreme Studentized deviate test (Rosner, Technometrics 25:165, 1983): up to k outliers are taken away one by one,
the farthest from the mean first, and each is held against a critical value that keeps the probability of calling any of n
normal values an outlier at the level. Taking several away before judging keeps two of them from hiding each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.statistics.rates import t_quantile

FEWEST = 6
"""Among fewer there is no telling."""

LEVEL = 0.05

_LARGE = 25
"""From so many values on the level holds for all steps together, as Rosner showed; below, it is divided among them."""


def outliers(values: Sequence[float], level: float = LEVEL) -> list[int]:
    """Indices of the outliers among values that are about normal, such as logarithms of rates; none of fewer than six.

    At most a third of them are looked at: what half of all do is no outlier.
    """
    left = np.asarray(values, np.float64)
    places = np.arange(len(left))
    if len(left) < FEWEST or not np.isfinite(left).all():
        return []
    taken: list[int] = []
    found, most = 0, len(values) // 3
    if len(values) < _LARGE:
        level /= most
    for number in range(1, most + 1):
        spread = float(left.std(ddof=1))
        if spread == 0:
            break
        farthest = int(np.abs(left - left.mean()).argmax())
        deviate = float(abs(left[farthest] - left.mean())) / spread
        taken.append(int(places[farthest]))
        if deviate > _critical(len(values), number, level):
            found = number
        left, places = np.delete(left, farthest), np.delete(places, farthest)
    return sorted(taken[:found])


def _critical(count: int, number: int, level: float) -> float:
    """Return the critical value lambda_i of the paper for the i-th step, i being ``number``."""
    degrees = count - number - 1
    quantile = t_quantile(degrees, 1 - level / (2 * (count - number + 1)))
    return float((count - number) * quantile / np.sqrt((degrees + quantile**2) * (count - number + 1)))
