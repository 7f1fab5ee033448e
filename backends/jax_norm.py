"""Training's BatchNorm for XLA on the host, in as few passes over memory as it allows: two forward, two backward.

Moments are sums of deviations from each channel's first pixel, so one pass gives both without cancellation.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

Saved = tuple[Array, Array, Array, Array]


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def host_batch_norm(x: Array, weight: Array, bias: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """y in x's dtype, and mean and biased variance (channels,) of x (…, channels); neither of the two is differentiated."""
    return _forward(x, weight, bias, epsilon)[0]


def _forward(x: Array, weight: Array, bias: Array, epsilon: float) -> tuple[tuple[Array, Array, Array], Saved]:
    axes, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    wide = jnp.promote_types(x.dtype, np.float32)
    pivot = x[(0,) * len(axes)].astype(wide)
    deviation = x.astype(wide) - pivot
    shift, square = deviation.sum(axes) / count, jnp.square(deviation).sum(axes) / count
    mean, variance = pivot + shift, square - jnp.square(shift)
    inverse = lax.rsqrt(variance + epsilon)
    scale = inverse * weight
    y = (x.astype(wide) * scale + (bias - mean * scale)).astype(x.dtype)
    return (y, mean, variance), (x, weight, mean, inverse)


def _backward(epsilon: float, saved: Saved, gradients: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    """Of the input ``a g + b x + c`` with coefficients per channel (Ioffe and Szegedy 2015, arXiv:1502.03167, section 3)."""
    x, weight, mean, inverse = saved
    axes, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    g, values = (array.astype(mean.dtype) for array in (gradients[0], x))
    of_bias = g.sum(axes)
    of_weight = (g * (values - mean)).sum(axes) * inverse
    a = inverse * weight
    b = -a * inverse * of_weight / count
    c = -a * of_bias / count - b * mean
    return (g * a + values * b + c).astype(x.dtype), of_weight, of_bias


host_batch_norm.defvjp(_forward, _backward)
