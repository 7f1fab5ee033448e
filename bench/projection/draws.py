"""Intervals of what is computed from several rates: draws from their t distributions, the same on every run.

A Latin hypercube (McKay, Beckman, Conover, Technometrics 21:239, 1979): each rate gets one point from each of equally
likely strata of its t distribution, in an order shuffled by a seed made of the rate itself: strata are ranked by a hash of
their number and the seed, the finaliser of MurmurHash3 (Appleby, 2011), which a page's script repeats bit for bit. With one uncertain rate the
interval is the t-interval; with several, a row of the table costs about 0.1 ms. A rate that stands on both sides of a ratio
has the same draws on both, so that what is shared cancels.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.statistics.rates import CONFIDENCE, Estimate, LogRate

STRATA = 2000
_LARGEST_LOG = 200.0  # exp of it, to the third power, is still finite
_NUMBERED = np.arange(1, STRATA + 1, dtype=np.uint32) * np.uint32(0x9E3779B1)  # wraps around; odd, so that all differ


@lru_cache(maxsize=1024)
def strata(degrees_of_freedom: int) -> NDArray[np.float64]:
    """The middles of equally likely strata (STRATA,) of Student's t, ascending."""
    from scipy.special import stdtrit

    middles = (np.arange(STRATA) + 0.5) / STRATA
    return np.asarray(stdtrit(float(degrees_of_freedom), middles), dtype=np.float64)


@lru_cache(maxsize=512)
def seconds_per_item(log: LogRate) -> NDArray[np.float64]:
    """Draws (STRATA,) of seconds per item; constant where a single trial tells nothing of the spread."""
    if log.standard_error is None:
        return np.full(STRATA, np.exp(log.mean))
    logs = log.mean + log.standard_error * strata(log.degrees_of_freedom)[_order(seed_of(log))]
    return np.exp(np.clip(logs, -_LARGEST_LOG, _LARGEST_LOG))


def seed_of(log: LogRate) -> int:
    """Return a seed of 32 bits; equal rates have equal seeds."""
    return zlib.crc32(struct.pack("<ddi", log.mean, log.standard_error or 0.0, log.n))


def _order(seed: int) -> NDArray[np.intp]:
    """A shuffle of the strata (STRATA,)."""
    key = _NUMBERED ^ np.uint32(seed)
    key ^= key >> np.uint32(16)
    key *= np.uint32(0x85EBCA6B)
    key ^= key >> np.uint32(13)
    key *= np.uint32(0xC2B2AE35)
    key ^= key >> np.uint32(16)
    return np.argsort(key, kind="stable")


def estimate(value: float, draws: NDArray[np.float64] | None) -> Estimate:
    """A figure with the 95 % interval of its draws; without one where there are none."""
    if draws is None:
        return Estimate(value)
    tail = (1 - CONFIDENCE) / 2
    place = tail * len(draws) - 0.5  # the strata's middles stand for these probabilities
    index = int(place)
    ordered = np.partition(draws, (index, index + 1, len(draws) - 2 - index, len(draws) - 1 - index))
    part = place - index
    low = ordered[index] * (1 - part) + ordered[index + 1] * part
    high = ordered[-1 - index] * (1 - part) + ordered[-2 - index] * part
    return Estimate(value, min(float(low), value), max(float(high), value))
