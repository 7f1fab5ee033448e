"""What is drawn for each synthetic lesion: its ABCD signs, its label, and everything that hides them.

The ABCD rule of dermatoscopy (Nachbar et al. 1994, doi:10.1016/S0190-9622(94)70061-3) scores Asymmetry, Border, Colours and
Differential structures; here D is the diameter, as in the public's ABCD. The probability of a melanoma rises with the
score; the label is a draw from it, so no reader of the images can be perfect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workloads.lesions.streams import uniforms_by_index

Floats = NDArray[np.float64]

HAIRS = 8  # at most
_DRAWS = 52
_HAIR_DRAWS = 8
_PER_IMAGE = _DRAWS + HAIRS * _HAIR_DRAWS

# Asymmetry, border, colour, diameter. Diameter is what a linear model sees best, so it weighs least.
_WEIGHTS = (0.30, 0.35, 0.35, 0.10)
_SEVERITY = 0.65  # how much the signs of one lesion have in common
_THRESHOLD = 0.70  # of the mean sign: about one lesion in four is a melanoma
_STEEPNESS = 10.0
_MISTAKEN = 0.02  # labels wrong beyond doubt

_LIGHT_SKIN, _DARK_SKIN = np.array([226.0, 178.0, 166.0]), np.array([140.0, 96.0, 78.0])
# What lesions add to the skin's colour, from tan over red-brown to blue-grey; and, in some, less pigment than the skin.
_PIGMENTS = np.array([[-45.0, -55.0, -60.0], [-75.0, -85.0, -75.0], [-50.0, -85.0, -60.0], [-95.0, -80.0, -60.0]])
# Directions in which colour varies inside a lesion: black to tan, brown to red, tan to a blue-grey veil, dark to white.
_VARIEGATION = np.array([[55.0, 45.0, 35.0], [42.0, 10.0, 14.0], [-20.0, 5.0, 30.0], [30.0, 42.0, 40.0]])


@dataclass(frozen=True)
class Hairs:
    """Up to HAIRS strokes per image; arrays (n, HAIRS), directions (n, HAIRS, 2)."""

    count: NDArray[np.int64]  # (n,)
    direction: Floats
    offset: Floats  # distance of the stroke from the centre
    bend: Floats
    middle: Floats  # along the stroke
    length: Floats  # half of it
    width: Floats
    darkness: Floats


@dataclass(frozen=True)
class Draws:
    """One row per image. Lengths are in halves of the shorter side, colours in 8-bit levels."""

    signs: Floats  # (n, 4): asymmetry, border, colour and diameter, each on [0, 1)
    probability: Floats  # (n,) of a melanoma
    labels: NDArray[np.int32]  # (n,): 1 melanoma
    skin: Floats  # (n, 3)
    pigment: Floats  # (n, 3) added inside the lesion
    variegation: Floats  # (n, 2, 3): two directions of colour
    centre: Floats  # (n, 2)
    direction: Floats  # (n, 2): unit vector along the long axis
    radius: Floats  # (n,)
    elongation: Floats  # (n,) square root of long by short axis
    bend: Floats  # (n,) signed
    taper: Floats  # (n,) signed
    nucleus: Floats  # (n, 3): place in the lesion's frame, strength
    border: Floats  # (n,) how far the outline strays
    softness: Floats  # (n,) width of the lesion's edge
    network: Floats  # (n,) strength of fine structures
    mottling: Floats  # (n,) of the skin, in levels
    light: Floats  # (n, 3): gradient in x and y, vignette
    noise: Floats  # (n,) standard deviation in levels
    hairs: Hairs


class _Columns:
    """Hands out the columns of a table of uniform numbers, a few at a time."""

    def __init__(self, table: Floats) -> None:
        self._table, self._next = table, 0

    def take(self, low: float = 0.0, high: float = 1.0) -> Floats:
        """The next column (n,), on [low, high)."""
        self._next += 1
        return low + (high - low) * self._table[:, self._next - 1]

    def block(self, count: int) -> Floats:
        """The next columns (n, count), on [0, 1)."""
        self._next += count
        return self._table[:, self._next - count : self._next]


def draw(seed: int, indices: NDArray[np.int64]) -> Draws:
    """Everything about images ``indices`` (n,) but their grain: a fixed function of the seed and each index."""
    columns = _Columns(uniforms_by_index(f"lesions:{seed}:signs", indices, _PER_IMAGE))
    severity = columns.take()
    severity = severity * severity * (3 - 2 * severity)
    signs = _SEVERITY * severity[:, None] + (1 - _SEVERITY) * columns.block(4)
    probability = _sigmoid(_STEEPNESS * (_weighted(signs) / sum(_WEIGHTS) - _THRESHOLD))
    labels = (columns.take() < probability).astype(np.int32)
    asymmetry, border, colour, diameter = signs.T
    lean = unit_vectors(columns.take())
    strength = _either_sign(columns.take(-1, 1), 0.4)
    return Draws(
        signs=signs,
        probability=probability,
        labels=labels,
        skin=_skin(columns),
        pigment=_pigment(columns, colour),
        variegation=_variegation(columns, colour),
        centre=np.stack([columns.take(-0.18, 0.18), columns.take(-0.18, 0.18)], axis=1),
        direction=unit_vectors(columns.take()),
        radius=columns.take(0.36, 0.50) + 0.18 * diameter,
        elongation=columns.take(1.0, 1.15),
        bend=0.5 * asymmetry * lean[:, 0],
        taper=0.5 * asymmetry * lean[:, 1],
        nucleus=np.column_stack([0.6 * asymmetry[:, None] * unit_vectors(columns.take()), strength]),
        border=0.02 + 0.25 * border,
        softness=columns.take(0.12, 0.35),
        network=columns.take(0.0, 7.0),
        mottling=columns.take(1.0, 6.0),
        light=np.column_stack([columns.take(-0.1, 0.1), columns.take(-0.1, 0.1), _vignette(columns)]),
        noise=columns.take(1.0, 2.5),
        hairs=_hairs(columns),
    )


def _weighted(signs: Floats) -> Floats:
    # Not a dot product: its order of summing differs between BLAS libraries, and labels must not.
    total = np.zeros(len(signs))
    for weight, sign in zip(_WEIGHTS, signs.T, strict=True):
        total += weight * sign
    return total


def _sigmoid(z: Floats) -> Floats:
    """From _MISTAKEN to 1 - _MISTAKEN while z goes from -1 to 1: 3t^2 - 2t^3, since exp is not rounded alike everywhere."""
    t = np.clip(0.5 + 0.5 * z, 0.0, 1.0)
    return _MISTAKEN + (1 - 2 * _MISTAKEN) * t * t * (3 - 2 * t)


def unit_vectors(turn: Floats) -> Floats:
    """Directions (…, 2) for numbers on [0, 1), all but uniform on the circle: an eighth of it by tan(a/2), then mirrored."""
    eighth = turn * 8
    octant = np.floor(eighth).astype(np.int64)
    t = (eighth - octant) * 0.41421356237309503  # tan(pi / 8)
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    swapped = octant % 2 == 1
    x, y = np.where(swapped, sine, cosine), np.where(swapped, cosine, sine)
    return np.stack([np.where(octant & 2, -x, x), np.where(octant & 4, -y, y)], axis=-1)


def _either_sign(signed: Floats, least: float) -> Floats:
    """Numbers on (-1, 1) pushed away from 0: at least ``least`` in size, their signs kept."""
    return np.asarray(np.where(signed < 0, -1.0, 1.0) * (least + (1 - least) * np.abs(signed)))


def _skin(columns: _Columns) -> Floats:
    tone = columns.take() ** 2  # light skin is commoner in the archives
    tint = (columns.block(3) - 0.5) * np.array([30.0, 36.0, 44.0])
    return np.asarray(_LIGHT_SKIN + tone[:, None] * (_DARK_SKIN - _LIGHT_SKIN) + tint)


def _pigment(columns: _Columns, colour: Floats) -> Floats:
    kind = (columns.take() * len(_PIGMENTS)).astype(np.int64)
    amount = columns.take(0.3, 0.8) + 0.35 * colour
    pale = columns.take() < 0.2
    return np.asarray(_PIGMENTS[kind] * np.where(pale, -0.45 * amount, amount)[:, None])


def _variegation(columns: _Columns, colour: Floats) -> Floats:
    kinds = (columns.block(2) * len(_VARIEGATION)).astype(np.int64)
    return _VARIEGATION[kinds] * (0.05 + 1.05 * colour)[:, None, None]


def _vignette(columns: _Columns) -> Floats:
    """How fast the corners darken; a few images were taken through a round window, and go black."""
    tube = columns.take() < 0.1
    return np.where(tube, 2.5, columns.take(0.0, 0.25))


def _hairs(columns: _Columns) -> Hairs:
    hairy = columns.take()
    count = np.where(hairy < 0.5, 0, (1 + HAIRS * (2 * hairy - 1)).astype(np.int64))
    table = columns.block(HAIRS * _HAIR_DRAWS).reshape(-1, HAIRS, _HAIR_DRAWS)
    turn, offset, bend, width, darkness, middle, length, _ = np.moveaxis(table, 2, 0)
    return Hairs(
        count=np.minimum(count, HAIRS),
        direction=unit_vectors(turn),
        offset=2 * offset - 1,
        bend=0.5 * (bend - 0.5),
        middle=2 * middle - 1,
        length=0.25 + 0.9 * length,
        width=0.006 + 0.012 * width,
        darkness=0.35 + 0.5 * darkness,
    )
