"""From what was drawn to pixels: float32 planes, a bounded number of images at a time.

Only additions, products, quotients, square roots and comparisons are used, one ufunc each, so IEEE 754 fixes every bit.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from workloads.lesions.fields import field, grid_bytes
from workloads.lesions.signs import Draws, Hairs, draw
from workloads.lesions.streams import bytes_of

Planes = NDArray[np.float32]

_CHUNK_PIXELS = 2**16  # per plane: working arrays of 256 KiB stay in a core's cache
# Cells a side: outline, ragged outline, two fields of colour, mottled skin, pigment network.
_CELLS = (4, 11, 5, 5, 4, 48)
_GRID_BYTES = tuple(grid_bytes(cells) for cells in _CELLS)


def render(seed: int, indices: NDArray[np.int64], height: int, width: int) -> NDArray[np.uint8]:
    """Images ``indices`` (n,) of a seed, (n, height, width, 3) uint8."""
    images = np.empty((len(indices), height, width, 3), np.uint8)
    step = max(1, _CHUNK_PIXELS // (height * width))
    for start in range(0, len(indices), step):
        chosen = indices[start : start + step]
        images[start : start + step] = _paint(seed, chosen, draw(seed, chosen), height, width)
    return images


def _paint(seed: int, indices: NDArray[np.int64], draws: Draws, height: int, width: int) -> NDArray[np.uint8]:
    size = sum(_GRID_BYTES)
    raw = np.stack([bytes_of(f"lesions:{seed}:grain", int(i), size + height * width * 3) for i in indices])
    grids = np.split(raw[:, :size], np.cumsum(_GRID_BYTES)[:-1], axis=1)
    fields = [field(np.ascontiguousarray(g), cells, height, width) for g, cells in zip(grids, _CELLS, strict=True)]
    x, y = _axes(height, width)
    mask, nucleus = _shape(draws, x, y, fields[0], fields[1])
    inside = fields[5] * _per_image(draws.network)
    inside += nucleus * np.float32(28.0)
    planes = _colours(draws, mask, inside, fields[2], fields[3])
    planes += (fields[4] * _per_image(draws.mottling))[:, None]
    planes *= _light(draws, x, y)[:, None]
    planes *= (1 - _strokes(draws.hairs, x, y))[:, None]
    grain = np.take(_normal_bytes(), raw[:, size:], mode="clip").reshape(planes.shape)
    grain *= _per_image(draws.noise)[:, None]
    planes += grain
    planes += np.float32(0.5)
    np.clip(planes, 0, 255, out=planes)
    return planes.astype(np.uint8).transpose(0, 2, 3, 1)


def _per_image(values: NDArray[np.float64]) -> Planes:
    return values.astype(np.float32)[:, None, None]


def _axes(height: int, width: int) -> tuple[Planes, Planes]:
    """x (1, 1, width) and y (1, height, 1) of the pixels' centres; the shorter side runs from -1 to 1."""
    shorter = min(height, width)
    x = (2 * np.arange(width) + 1 - width) / shorter
    y = (2 * np.arange(height) + 1 - height) / shorter
    return x.astype(np.float32)[None, None, :], y.astype(np.float32)[None, :, None]


def _shape(draws: Draws, x: Planes, y: Planes, outline: Planes, ragged: Planes) -> tuple[Planes, Planes]:
    """How much of each pixel is lesion, on [0, 1], and the signed strength of its nucleus; both (n, height, width)."""
    dx, dy = x - _per_image(draws.centre[:, 0]), y - _per_image(draws.centre[:, 1])
    cosine, sine = _per_image(draws.direction[:, 0]), _per_image(draws.direction[:, 1])
    long, short = _per_image(draws.radius * draws.elongation), _per_image(draws.radius / draws.elongation)
    u = dx * (cosine / long) + dy * (sine / long)
    v = dy * (cosine / short) - dx * (sine / short)
    squared = u * u
    nucleus = _spot(u - _per_image(draws.nucleus[:, 0]), v - _per_image(draws.nucleus[:, 1]))
    nucleus *= _per_image(draws.nucleus[:, 2])
    v += (squared - np.float32(0.4)) * _per_image(draws.bend)
    v *= 1 + np.clip(u, -1.5, 1.5) * _per_image(draws.taper)
    distance = squared
    distance += v * v
    np.sqrt(distance, out=distance)
    level = 1 - distance
    level += ragged * _per_image(draws.border)
    level += outline * np.float32(0.05)
    return _step(level, _per_image(draws.softness)), nucleus


def _spot(u: Planes, v: Planes) -> Planes:
    """A soft spot of radius 0.6 around the origin of the lesion's frame."""
    near = 1 - (u * u + v * v) * np.float32(1 / 0.36)
    np.maximum(near, 0, out=near)
    near *= near
    return near


def _step(level: Planes, softness: Planes) -> Planes:
    """0 below -softness, 1 above it, smooth between: 3t^2 - 2t^3."""
    t = np.clip(level / (2 * softness) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _colours(draws: Draws, mask: Planes, inside: Planes, first: Planes, second: Planes) -> Planes:
    """Skin, and over it the lesion's colour, (n, 3, height, width)."""
    first, second, inside = first * mask, second * mask, inside * mask
    planes = np.empty((mask.shape[0], 3, *mask.shape[1:]), np.float32)
    for channel in range(3):
        plane = mask * _per_image(draws.pigment[:, channel])
        plane += first * _per_image(draws.variegation[:, 0, channel])
        plane += second * _per_image(draws.variegation[:, 1, channel])
        plane += inside
        plane += _per_image(draws.skin[:, channel])
        planes[:, channel] = plane
    return planes


def _light(draws: Draws, x: Planes, y: Planes) -> Planes:
    """A slanting light that falls off towards the corners, as a factor (n, height, width)."""
    beyond = np.maximum(x * x + y * y - np.float32(0.9), 0)
    factor = 1 + x * _per_image(draws.light[:, 0])
    factor = factor + y * _per_image(draws.light[:, 1])
    factor -= beyond * _per_image(draws.light[:, 2])
    np.maximum(factor, np.float32(0.02), out=factor)
    return factor


def _strokes(hairs: Hairs, x: Planes, y: Planes) -> Planes:
    """How much of the light the hairs take, (n, height, width): slightly bent lines across the image."""
    shadow = np.zeros((len(hairs.count), y.shape[1], x.shape[2]), np.float32)
    pixel = np.float32(2.0 / min(y.shape[1], x.shape[2]))
    for hair in range(int(hairs.count.max(initial=0))):
        rows = np.flatnonzero(hairs.count > hair)
        cosine, sine = (_per_image(hairs.direction[rows, hair, axis]) for axis in range(2))
        along = x * cosine + y * sine
        across = y * cosine - x * sine - _per_image(hairs.offset[rows, hair])
        across += along * along * _per_image(hairs.bend[rows, hair])
        width = _per_image(hairs.width[rows, hair])
        wide = np.maximum(width, pixel)  # a hair thinner than a pixel darkens it in part
        stroke = np.clip(1 - np.abs(across) / wide, 0, 1)
        along -= _per_image(hairs.middle[rows, hair])
        stroke *= np.clip((_per_image(hairs.length[rows, hair]) - np.abs(along)) / (2 * pixel), 0, 1)
        stroke *= _per_image(hairs.darkness[rows, hair]) * (width / wide)
        shadow[rows] = np.maximum(shadow[rows], stroke)
    return shadow


@lru_cache(maxsize=1)
def _normal_bytes() -> Planes:
    """256 quantiles of the normal distribution, (256,), rounded to 64ths so that no logarithm's last bit matters."""
    normal = NormalDist()
    return np.array([round(64 * normal.inv_cdf((i + 0.5) / 256)) / 64 for i in range(256)], np.float32)
