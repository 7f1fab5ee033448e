"""How the oracle rounds: float64 exactly as written, or a model of what a lower precision does to every value.

The models exist to learn how far an *honest* implementation of a precision strays from the float64 truth. They round the
operands and results of convolutions and dense layers, where all the arithmetic is. All between is computed in float32, as devices do,
and a seeded relative perturbation of operands and results stands for the rounding errors of accumulation and for every implementation's
own order of summation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Numbers of the oracle: float64, or ``Arithmetic.dtype`` where that is float32."""

MANTISSA_BITS = {"fp32": 24, "tf32": 11, "bf16": 8}
"""Significant bits, the implicit one included."""

UNIT = 2.0**-24
"""Half a unit in the last place of fp32, relative: every device accumulates in fp32 at least."""

LEAST_NOISE = 16 * UNIT
"""Relative disturbance that stands for rounding on the way and for Winograd transforms, whose error is some ten times that of
a direct convolution (Barabasz et al. 2020, arXiv:1803.10986): PyTorch's first losses on a ResNet-18 at 64x64 lay 2e-6 from
the truth where half a unit in the last place alone gives 2e-7.

A sum of n terms of either sign, added one after the other, strays by about sqrt(n) units (Higham and Mary 2019, "A new approach to
probabilistic rounding error analysis"), which is more from n = 256 on: on a ResNet-50, whose sums have up to 4,608 terms, oneDNN's
fp32 losses lay four times as far from the truth as draws with the least noise alone."""

LONG_SUM, MOST_OF_STATISTICS = 512, 1024
"""Sums one after the other of n values of one sign, such as squares, lose more where the sum has outgrown the values: BatchNorm's
variances by PyTorch 2.13 on the host, channels last, were 107, 785 and 2,181 units off (root mean square, relative) for
n = 100,352, 401,408 and 802,816 standard normal values a channel. The model takes n / LONG_SUM units where that is more than sqrt(n); not
beyond MOST_OF_STATISTICS, a quarter of what tf32 rounds an operand by, lest tf32 pass for fp32: such sums are no fp32 any more. What
the model lacks of those figures is left to the factor that envelopes have over it."""


@dataclass(frozen=True)
class Arithmetic:
    """``operand`` is applied to what enters a convolution or dense layer, ``result`` to what leaves it, and ``statistic`` to a
    batch's means and variances; each value of the latter two is a sum of so many terms. All between is computed in ``dtype``."""

    operand: Callable[[Array], Array] = lambda x: x
    result: Callable[[Array, int], Array] = lambda x, terms: x
    statistic: Callable[[Array, int], Array] = lambda x, terms: x
    dtype: type[np.float64 | np.float32] = np.float64


exact = Arithmetic()


def rounded(precision: str, draw: int) -> Arithmetic:
    """A model of one honest implementation of ``precision``; another ``draw`` is another implementation."""
    bits = MANTISSA_BITS[precision]
    # tf32 rounds operands only: its results are stored in fp32. Order of summation disturbs at the accumulator's fp32 level.
    result_bits = 8 if precision == "bf16" else 24
    rng = np.random.default_rng(draw)

    def disturbed(x: Array, noise: float) -> Array:
        factor = _drawn_like(x, rng)  # in [0, 1)
        factor *= 2 * noise
        factor += 1 - noise
        factor *= x
        return factor

    def operand(x: Array) -> Array:
        return round_to_bits(disturbed(x, LEAST_NOISE), bits)

    def result(x: Array, terms: int) -> Array:
        return round_to_bits(disturbed(x, max(LEAST_NOISE, math.sqrt(terms) * UNIT)), result_bits)

    def statistic(x: Array, terms: int) -> Array:
        return disturbed(x, min(max(math.sqrt(terms), terms / LONG_SUM), MOST_OF_STATISTICS) * UNIT)

    return Arithmetic(operand, result, statistic, np.float32)


def _drawn_like(x: Array, rng: np.random.Generator) -> Array:
    """Uniform random numbers, images (batch, channels, height, width) with the channels last in memory, as the oracle's layers keep them."""
    if x.ndim != 4:
        return rng.random(x.shape, x.dtype)
    batch, channels, height, width = x.shape
    return rng.random((batch, height, width, channels), x.dtype).transpose(0, 3, 1, 2)


def round_to_bits(x: Array, bits: int) -> Array:
    """Round float64 or float32 to ``bits`` significant bits, to nearest (Dekker's splitting; magnitudes below 2**900, or 2**100)."""
    digits = np.finfo(x.dtype).nmant + 1
    if digits <= bits:
        return x
    scaled = x * (2.0 ** (digits - bits) + 1.0)
    return np.asarray(scaled - (scaled - x))
