"""Which images train, which validate, which test: decided by a hash of the lesion's or patient's name, once and for all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bench.contract import SHARES, TEST, TRAIN, VALIDATION


def split_by(groups: Iterable[str]) -> NDArray[np.uint8]:
    """The part (n,) of each image, from its group's name: the same name always falls into the same part."""
    return np.fromiter((_part(group) for group in groups), np.uint8)


def _part(group: str) -> int:
    digest = hashlib.sha256(f"split:{group}".encode(errors="surrogatepass")).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < SHARES[TRAIN]:
        return TRAIN
    return VALIDATION if place < SHARES[TRAIN] + SHARES[VALIDATION] else TEST
