"""How the oracle rounds: float64 exactly as written, or a model of what a lower precision does to every value.

The models exist to learn how far an *honest* implementation of a precision strays from the float64 truth. They round the
operands and results of convolutions and dense layers, where all the arithmetic is; accumulation stays in float64, and a
seeded relative perturbation of the operands stands for the rounding errors of accumulation and for every implementation's
own order of summation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MANTISSA_BITS = {"fp32": 24, "tf32": 11, "bf16": 8}
"""Significant bits, the implicit one included."""

ACCUMULATION_NOISE = 16 * 2.0**-24
"""Relative disturbance that stands for fp32 accumulation and for Winograd transforms, whose error is some ten times that of
a direct convolution (Barabasz et al. 2020, arXiv:1803.10986): PyTorch's first losses on a ResNet-18 at 64x64 lay 2e-6 from
the truth where half a unit in the last place alone gives 2e-7."""


def _same(x: Array) -> Array:
    return x


@dataclass(frozen=True)
class Arithmetic:
    """``operand`` is applied to what enters a convolution or dense layer, ``result`` to what leaves it."""

    operand: Callable[[Array], Array] = _same
    result: Callable[[Array], Array] = _same


exact = Arithmetic()


def rounded(precision: str, draw: int) -> Arithmetic:
    """A model of one honest implementation of ``precision``; another ``draw`` is another implementation."""
    bits = MANTISSA_BITS[precision]
    # tf32 rounds operands only: its results are stored in fp32. Order of summation disturbs at the accumulator's fp32 level.
    result_bits = 8 if precision == "bf16" else 24
    rng = np.random.default_rng(draw)

    def disturbed(x: Array) -> Array:
        return x * (1.0 + ACCUMULATION_NOISE * rng.uniform(-1.0, 1.0, x.shape))

    def operand(x: Array) -> Array:
        return round_to_bits(disturbed(x), bits)

    def result(x: Array) -> Array:
        return round_to_bits(disturbed(x), result_bits)

    return Arithmetic(operand, result)


def round_to_bits(x: Array, bits: int) -> Array:
    """Round float64 to ``bits`` significant bits, to nearest (Dekker's splitting; magnitudes below 2**900)."""
    scaled = x * (2.0 ** (53 - bits) + 1.0)
    return np.asarray(scaled - (scaled - x))
