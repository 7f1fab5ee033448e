"""Convolutions and max-pooling for XLA on the host, NHWC and HWIO, where its own are slow.

Milliseconds on two cores of an AVX-512 processor, batch 32, fp32, XLA's own against this module's (jax 0.10.2): kernels' gradient of
3x3 with 64 channels at 56x56 188 and 56, of a 1x1 from 64 to 256 channels 181 and 21; forward of that 1x1 40 and 24, of 3x3 with 64
channels at 16x16 3.9 and 2.9; input's gradient of 3x3 with stride 2 and 128 channels at 56x56 55 and 42. Forward of 3x3 with more
channels over many pixels, and its input's gradient, are XLA's own.

A convolution of stride 1 parts into columns and rows: its ``k`` column shifts side by side make one factor of ``k * in`` columns, a
product with all kernels gives ``k * out``, and ``k`` of those, shifted by rows, sum up to the output. That moves ``2 k`` times the
data where patches move ``k * k`` times, and its products are nearly square.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from bench.spec import Conv2d, MaxPool

IMAGES, LARGE_BYTES = 4, 32 * 2**20
"""Patches of up to so many bytes are made once, for the convolution and its kernels' gradient. Larger ones are made for the gradient
only, and used up for so many images at a time, so that they never leave the caches."""

NARROW = 64
"""XLA's own convolutions of so few channels are slower than products over column shifts."""


def native(x: Array, weight: Array, layer: Conv2d, precision: lax.Precision) -> Array:
    """XLA's own convolution."""
    return lax.conv_general_dilated(
        x,
        weight,
        (layer.stride, layer.stride),
        [(layer.padding, layer.padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=layer.groups,
        precision=precision,
    )


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def host_convolution(x: Array, weight: Array, layer: Conv2d, precision: lax.Precision) -> Array:
    """x (batch, height, width, in), weight (kernel, kernel, in, out), one group."""
    return _forward(x, weight, layer, precision)[0]


Saved = tuple[Array, Array | None, Array]  # the input, its patches or column shifts where they were made whole, the kernels


def _forward(x: Array, weight: Array, layer: Conv2d, precision: lax.Precision) -> tuple[Array, Saved]:
    if _parts(layer):
        if layer.in_channels > NARROW and not _few(layer, x.shape):
            return native(x, weight, layer, precision), (x, None, weight)
        wide = _column_shifts(x, layer.kernel, layer.padding)
        return _over_rows(wide, weight, layer.padding, precision), (x, wide, weight)
    if layer.kernel > 1 and _large(x, layer):
        return native(x, weight, layer, precision), (x, None, weight)
    patches = _patches(x, layer)
    flat = jnp.matmul(patches, weight.reshape(-1, layer.out_channels), precision=precision)
    return flat.reshape(len(x), *_output(layer, x.shape), layer.out_channels), (x, patches, weight)


def _backward(layer: Conv2d, precision: lax.Precision, saved: Saved, g: Array) -> tuple[Array, Array]:
    x, made, weight = saved
    if _parts(layer):
        wide = _column_shifts(x, layer.kernel, layer.padding) if made is None else made
        return _of_input(g, x, weight, layer, precision), _of_kernels_by_rows(g, wide, weight, layer, precision)
    return _of_input(g, x, weight, layer, precision), _of_kernels(g, x, made, weight, layer, precision)


host_convolution.defvjp(_forward, _backward)


def _of_input(g: Array, x: Array, weight: Array, layer: Conv2d, precision: lax.Precision) -> Array:
    k = layer.kernel
    if _parts(layer) and not _few(layer, x.shape):
        if layer.out_channels <= NARROW:
            turned, padding = weight[::-1, ::-1].swapaxes(2, 3), k - 1 - layer.padding
            return _over_rows(_column_shifts(g, k, padding), turned, padding, precision)
        _, transposed = jax.vjp(lambda x: native(x, weight, layer, precision), x)
        gradient: Array = transposed(g)[0]
        return gradient
    moved = jnp.matmul(g.reshape(-1, layer.out_channels), weight.reshape(-1, layer.out_channels).T, precision=precision)
    moved = moved.reshape(*g.shape[:3], k * k, layer.in_channels)
    return _folded([moved[:, :, :, place] for place in range(k * k)], x.shape, k, layer.stride, layer.padding)


def _parts(layer: Conv2d) -> bool:
    """Whether a convolution parts into columns and rows."""
    return layer.kernel > 1 and layer.stride == 1 and layer.padding < layer.kernel


def _column_shifts(x: Array, k: int, p: int) -> Array:
    """(batch, height, columns, k * channels): every row as the ``k`` columns of a window see it."""
    columns = x.shape[2] + 2 * p - k + 1
    x = jnp.pad(x, ((0, 0), (0, 0), (p, p), (0, 0)))
    return jnp.concatenate([x[:, :, v : v + columns] for v in range(k)], axis=-1)


def _over_rows(wide: Array, weight: Array, p: int, precision: lax.Precision) -> Array:
    """The convolution of what ``_column_shifts`` gave: a product, and a sum over the window's rows."""
    k, _, _, channels = weight.shape
    batch, height, columns, depth = wide.shape
    exact = jnp.promote_types(wide.dtype, np.float32)  # the sum must not round to bf16 in between
    by_column = weight.transpose(1, 2, 0, 3).reshape(depth, k * channels)
    product = jnp.matmul(wide.reshape(-1, depth), by_column, precision=precision, preferred_element_type=exact)
    rows = product.reshape(batch, height, columns, k, channels)
    total = sum(_row_shift(rows[:, :, :, u], u - p, height + 2 * p - k + 1) for u in range(k))
    return jnp.asarray(total, wide.dtype)


def _row_shift(x: Array, by: int, rows: int) -> Array:
    """Row i of the result is row i + ``by`` of x, or 0 where x has none."""
    return lax.pad(x, np.zeros((), x.dtype), ((0, 0, 0), (-by, rows + by - x.shape[1], 0), (0, 0, 0), (0, 0, 0)))


def _of_kernels_by_rows(g: Array, wide: Array, weight: Array, layer: Conv2d, precision: lax.Precision) -> Array:
    """One product of column shifts of the input with row shifts of the output's gradient."""
    k, height = layer.kernel, wide.shape[1]
    shifts = jnp.concatenate([_row_shift(g, layer.padding - u, height) for u in range(k)], axis=-1)
    exact = jnp.promote_types(g.dtype, np.float32)
    flat, shifted = wide.reshape(-1, wide.shape[-1]), shifts.reshape(-1, shifts.shape[-1])
    product = jnp.matmul(flat.T, shifted, precision=precision, preferred_element_type=exact)
    kernels = product.reshape(k, layer.in_channels, k, layer.out_channels).transpose(2, 0, 1, 3)
    return kernels.astype(weight.dtype)


def _of_kernels(g: Array, x: Array, patches: Array | None, weight: Array, layer: Conv2d, precision: lax.Precision) -> Array:
    depth = layer.kernel**2 * layer.in_channels
    wide = jnp.promote_types(g.dtype, np.float32)  # sums over pieces must not round to bf16 in between
    # Of many rows the narrower factor is the one to transpose; of few, turning the product back would cost more.
    turned = depth > layer.out_channels and not _few(layer, x.shape)

    def product(patches: Array, g: Array) -> Array:
        left, right = patches, g.reshape(-1, layer.out_channels)
        if turned:
            left, right = right, left
        return jnp.matmul(left.T, right, precision=precision, preferred_element_type=wide)

    if patches is not None:
        total = product(patches, g)
    elif len(x) % IMAGES:
        total = product(_patches(x, layer), g)
    else:
        pieces = x.reshape(-1, IMAGES, *x.shape[1:]), g.reshape(-1, IMAGES, *g.shape[1:])
        start = jnp.zeros((layer.out_channels, depth) if turned else (depth, layer.out_channels), wide)
        total, _ = lax.scan(lambda done, piece: (done + product(_patches(piece[0], layer), piece[1]), None), start, pieces)
    kernels = total.T if turned else total
    return kernels.reshape(weight.shape).astype(weight.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def host_max_pool(x: Array, layer: MaxPool) -> Array:
    """The maximum of each window; the gradient goes to the first of equal ones. XLA's own gradient is a scatter."""
    return _pool(x, layer)[0]


def _pool(x: Array, layer: MaxPool) -> tuple[Array, tuple[Array, Array]]:
    windows = _shifted(x, layer.kernel, layer.stride, layer.padding, -np.inf)
    highest, where = windows[0], jnp.zeros(windows[0].shape, np.uint8)
    for number, window in enumerate(windows[1:], 1):
        where = jnp.where(window > highest, np.uint8(number), where)
        highest = jnp.maximum(highest, window)
    return highest, (where, x)


def _pool_backward(layer: MaxPool, saved: tuple[Array, Array], g: Array) -> tuple[Array]:
    where, x = saved
    parts = [jnp.where(where == number, g, 0) for number in range(layer.kernel**2)]
    return (_folded(parts, x.shape, layer.kernel, layer.stride, layer.padding),)


host_max_pool.defvjp(_pool, _pool_backward)


def _folded(parts: Sequence[Array], shape: tuple[int, ...], k: int, s: int, p: int) -> Array:
    """The inverse of ``_shifted`` in the sense of sums: (batch, height, width, channels) from one array per place in the window."""
    batch, height, width, channels = shape
    _, rows, columns, _ = parts[0].shape
    total = jnp.zeros((batch, height + 2 * p, width + 2 * p, channels), parts[0].dtype)
    for number, part in enumerate(parts):
        u, v = divmod(number, k)
        below, right = height + 2 * p - (u + s * (rows - 1) + 1), width + 2 * p - (v + s * (columns - 1) + 1)
        edges = ((0, 0, 0), (u, below, s - 1), (v, right, s - 1), (0, 0, 0))
        total += lax.pad(part, np.zeros((), part.dtype), edges)
    return total[:, p : p + height, p : p + width]


def _shifted(x: Array, k: int, s: int, p: int, outside: float) -> list[Array]:
    """For each place in a window, row by row, its pixel of every window."""
    if p:
        x = jnp.pad(x, ((0, 0), (p, p), (p, p), (0, 0)), constant_values=np.array(outside, x.dtype))
    rows, columns = ((size - k) // s + 1 for size in x.shape[1:3])
    last_row, last_column = s * (rows - 1) + 1, s * (columns - 1) + 1
    return [x[:, u : u + last_row : s, v : v + last_column : s] for u in range(k) for v in range(k)]


def _large(x: Array, layer: Conv2d) -> bool:
    rows, columns = _output(layer, x.shape)
    return len(x) * rows * columns * layer.kernel**2 * layer.in_channels * x.dtype.itemsize > LARGE_BYTES


def _few(layer: Conv2d, shape: tuple[int, ...]) -> bool:
    """Few pixels and many channels: patches of the whole batch are a matrix wider than high."""
    rows, columns = _output(layer, shape)
    return shape[0] * rows * columns < layer.kernel**2 * layer.in_channels


def _output(layer: Conv2d, shape: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = ((size + 2 * layer.padding - layer.kernel) // layer.stride + 1 for size in shape[1:3])
    return rows, columns


def _patches(x: Array, layer: Conv2d) -> Array:
    """(batch * rows * columns, kernel * kernel * in), by one gather: shifted slices would be copied twice."""
    k, s, p = layer.kernel, layer.stride, layer.padding
    rows, columns = _output(layer, x.shape)
    if p:
        x = jnp.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    down, along = (np.arange(count)[:, None] * s + np.arange(k) for count in (rows, columns))
    windows = x.at[:, down[:, None, :, None], along[None, :, None, :]].get(mode="promise_in_bounds")
    return windows.reshape(-1, k * k * layer.in_channels)
