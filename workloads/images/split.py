"""Which images train, which validate, which test: decided by a hash of the lesion's or patient's name, once and for all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.contract import SHARES, TEST, TRAIN, VALIDATION


def split_by(groups: Iterable[str]) -> NDArray[np.uint8]:
    """The part (n,) of each image, from its group's name: the same name always falls into the same part."""
    return np.fromiter((_part(group) for group in groups), np.uint8)


def split_as_given(parts: NDArray[np.uint8], groups: Sequence[str]) -> NDArray[np.uint8]:
    """The user's own parts (n,), of which one may be missing: it is taken from its neighbour, by the groups' names.

    Validation comes out of training, and test out of validation, so that no image changes sides between training and judging.
    """
    split = parts.copy()
    for missing, source in ((VALIDATION, TRAIN), (TEST, VALIDATION)):
        if not (parts == missing).any():
            share = SHARES[missing] / (SHARES[missing] + SHARES[source])
            moved = np.fromiter((_place(group) < share for group in groups), bool, len(groups))
            split[(parts == source) & moved] = missing
    return split


def _part(group: str) -> int:
    place = _place(group)
    if place < SHARES[TRAIN]:
        return TRAIN
    return VALIDATION if place < SHARES[TRAIN] + SHARES[VALIDATION] else TEST


def _place(group: str) -> float:
    """A number from 0 to 1 that depends on the name alone."""
    digest = hashlib.sha256(f"split:{group}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
