"""Hand-made features of a lesion, the way that came before deep learning: colour, border and asymmetry of a segmented spot, edges.

They follow the ABCD rule of dermoscopy (Stolz et al., Eur. J. Dermatol. 4:521, 1994) as classical systems computed it (Celebi et al.,
Comput. Med. Imaging Graph. 31:362, 2007): the lesion is what Otsu's threshold on darkness gives (IEEE Trans. SMC 9:62, 1979).
Each feature is scaled from a fixed range to a byte, so that it travels as an image does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Images = NDArray[np.uint8]

HEIGHT, WIDTH = 4, 6
"""72 features as the pixels of a 4x6 image with three channels."""

_BINS = 8
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
_SMALL = 1e-6


def features(images: Images) -> Images:
    """The features of images (n, height, width, 3), as (n, HEIGHT, WIDTH, 3) bytes."""
    pixels = images.astype(np.float64) / 255
    grey = pixels @ np.array(_LUMINANCE)
    mask = darker(grey)
    parts = [_colours(pixels, grey), _lesion(pixels, mask), _shape(mask), _asymmetry(pixels, mask), _edges(grey, mask)]
    found = np.concatenate(parts, axis=1)
    return np.asarray(np.rint(255 * np.clip(found, 0, 1)), np.uint8).reshape(-1, HEIGHT, WIDTH, 3)


def darker(grey: Array) -> NDArray[np.bool_]:
    """What lies below Otsu's threshold in each image (n, height, width), which parts it into the two most compact classes."""
    count = len(grey)
    levels = np.clip((grey * 64).astype(np.int64), 0, 63)
    histogram = _counts(levels.reshape(count, -1), 64)
    weight = np.cumsum(histogram, axis=1)
    total = np.cumsum(histogram * np.arange(64), axis=1)
    below, above = weight, weight[:, -1:] - weight
    means = total / np.maximum(below, _SMALL), (total[:, -1:] - total) / np.maximum(above, _SMALL)
    between = below * above * (means[0] - means[1]) ** 2
    return np.asarray(levels <= between.argmax(axis=1)[:, None, None])


def _counts(values: NDArray[np.int64], bins: int) -> Array:
    """Histograms (n, bins) of whole numbers (n, pixels), as shares."""
    count, pixels = values.shape
    flat = np.bincount((values + bins * np.arange(count)[:, None]).ravel(), minlength=count * bins)
    return flat.reshape(count, bins) / pixels


def _histogram(values: Array, weights: Array | None = None) -> Array:
    """Histograms (n, 8) of values (n, pixels) in [0, 1], weighted or not, as shares."""
    place = np.clip((values * _BINS).astype(np.int64), 0, _BINS - 1)
    if weights is None:
        return _counts(place, _BINS)
    sums = np.stack([np.where(place == index, weights, 0.0).sum(axis=1) for index in range(_BINS)], axis=1)
    return np.asarray(sums / np.maximum(sums.sum(axis=1, keepdims=True), _SMALL))


def _colours(pixels: Array, grey: Array) -> Array:
    """Mean, deviation and skewness of each channel, and histograms of luminance, hue and saturation: 33 numbers."""
    flat = pixels.reshape(len(pixels), -1, 3)
    mean, deviation = flat.mean(axis=1), flat.std(axis=1)
    skewness = ((flat - mean[:, None]) ** 3).mean(axis=1) / np.maximum(deviation, _SMALL) ** 3
    high, low = flat.max(axis=2), flat.min(axis=2)
    chroma = high - low
    saturation = chroma / np.maximum(high, _SMALL)
    hue = np.arctan2(np.sqrt(3) * (flat[..., 1] - flat[..., 2]), 2 * flat[..., 0] - flat[..., 1] - flat[..., 2])
    histograms = [
        _histogram(grey.reshape(len(grey), -1)),
        _histogram(hue / (2 * np.pi) + 0.5, chroma),
        _histogram(saturation),
    ]
    return np.concatenate([mean, 3 * deviation, (skewness + 3) / 6, *histograms], axis=1)


def _lesion(pixels: Array, mask: NDArray[np.bool_]) -> Array:
    """How the lesion's colour differs from the skin's, and how it varies: 6 numbers."""
    inside, outside = _mean_colour(pixels, mask), _mean_colour(pixels, ~mask)
    squares = _mean_colour((pixels - inside[:, None, None]) ** 2, mask)
    return np.concatenate([outside - inside, 4 * np.sqrt(squares)], axis=1)


def _mean_colour(pixels: Array, mask: NDArray[np.bool_]) -> Array:
    sums = np.einsum("nhw,nhwc->nc", mask.astype(np.float64), pixels)
    return np.asarray(sums / np.maximum(mask.sum(axis=(1, 2)), 1)[:, None])


def _moments(mask: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Centre (n, 2) in [-0.5, 0.5], and the eigenvalues of the spread around it, the larger first."""
    area = np.maximum(mask.sum(axis=(1, 2)), 1)
    rows, columns = (np.arange(size) / size - 0.5 + 0.5 / size for size in mask.shape[1:])
    y = (mask * rows[:, None]).sum(axis=(1, 2)) / area
    x = (mask * columns).sum(axis=(1, 2)) / area
    yy = (mask * (rows[:, None] - y[:, None, None]) ** 2).sum(axis=(1, 2)) / area
    xx = (mask * (columns - x[:, None, None]) ** 2).sum(axis=(1, 2)) / area
    xy = (mask * (rows[:, None] - y[:, None, None]) * (columns - x[:, None, None])).sum(axis=(1, 2)) / area
    half, root = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    return np.stack([y, x], axis=1), half + root, half - root


def _shape(mask: NDArray[np.bool_]) -> Array:
    """Area, compactness, distance from the middle, spread and elongation: 5 numbers."""
    area = mask.mean(axis=(1, 2))
    border = sum((mask != np.roll(mask, 1, axis)).mean(axis=(1, 2)) for axis in (1, 2))
    compact = border**2 * mask.shape[1] * mask.shape[2] / np.maximum(area, _SMALL) / 200
    centre, larger, smaller = _moments(mask)
    away = np.sqrt((centre**2).sum(axis=1))
    return np.stack(
        [area, compact, 2 * away, 4 * np.sqrt(larger), np.sqrt(np.maximum(smaller, 0) / np.maximum(larger, _SMALL))], 1
    )


def _asymmetry(pixels: Array, mask: NDArray[np.bool_]) -> Array:
    """How much of the lesion, and of its colours, does not fall onto itself when the image is mirrored: 8 numbers."""
    found = []
    area = np.maximum(mask.sum(axis=(1, 2)), 1)
    for axis in (1, 2):
        mirrored = np.flip(mask, axis)
        found.append(((mask != mirrored).sum(axis=(1, 2)) / (2 * area))[:, None])
        both = mask & mirrored
        difference = np.abs(pixels - np.flip(pixels, axis))
        found.append(5 * _mean_colour(difference, both))
    return np.concatenate(found, axis=1)


def _edges(grey: Array, mask: NDArray[np.bool_]) -> Array:
    """Histograms of the gradient's size and direction, its mean at the border, its deviation, and fine against coarse detail: 20."""
    down, right = np.gradient(grey, axis=1), np.gradient(grey, axis=2)
    size = np.sqrt(down**2 + right**2)
    angle = np.arctan2(down, right) / np.pi % 1.0
    flat = size.reshape(len(size), -1)
    border = (mask != np.roll(mask, 1, 1)) | (mask != np.roll(mask, 1, 2))
    at_border = (size * border).sum(axis=(1, 2)) / np.maximum(border.sum(axis=(1, 2)), 1)
    coarse = np.abs(grey[:, 2:, 2:] - grey[:, :-2, :-2]).mean(axis=(1, 2))
    fine = np.abs(grey[:, 1:, 1:] - grey[:, :-1, :-1]).mean(axis=(1, 2))
    numbers = np.stack([5 * at_border, 10 * flat.std(axis=1), 10 * fine, fine / np.maximum(coarse, _SMALL)], axis=1)
    directions = _histogram(angle.reshape(len(angle), -1), flat)
    return np.concatenate([_histogram(np.clip(5 * flat, 0, 1)), directions, numbers], axis=1)
