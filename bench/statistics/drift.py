"""Whether the steady samples of one trial really are steady: did they become faster, or slower, to their end?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Literal

MOVING = 0.02
"""A trial whose beginning and end differ by more, noise apart, is not in a steady state."""

FEWEST = 6
"""Samples below which nothing can be told."""

MOST = 60
"""Samples that are looked at; more of them are drawn together."""

Drift = Literal["", "faster", "slower"]


def drift(samples: Sequence[float]) -> Drift:
    """Return where a trial's steady samples, seconds each, went.

    ``faster``: the median of the first third is slower than that of the last half by more than ``MOVING`` and three deviations, which differences
    of neighbours give. ``slower``: the last half is slower than the first third by as much, or the last third than the first half, since
    warm-up is at the beginning and a slow-down may begin anywhere. Nothing for steady samples, and for too few.
    """
    count = len(samples)
    if count < FEWEST or min(samples) <= 0:
        return ""
    logs = [math.log(sample) for sample in samples]
    third, half = count // 3, count - count // 2
    deviation = 1.4826 * median(abs(after - before) for before, after in pairwise(logs)) / math.sqrt(2)
    bound = MOVING + 3 * deviation * math.sqrt(1 / third + 1 / half)
    change = median(logs[-half:]) - median(logs[:third])
    if change < -bound:
        return "faster"
    late = median(logs[-third:]) - median(logs[:half])
    return "slower" if max(change, late) > bound else ""


def drawn_together(samples: Sequence[float], items: Sequence[int] | None = None) -> list[float]:
    """Return seconds per item of the samples, ``MOST`` of them at most: of more, neighbours are drawn together. ``items``: what each sample
    held; None where all held the same."""
    size = max(len(samples) // MOST, 1)
    starts = range(0, len(samples) - size + 1, size)
    if items is None:
        return [sum(samples[start : start + size]) / size for start in starts]
    return [sum(samples[start : start + size]) / max(sum(items[start : start + size]), 1) for start in starts]
