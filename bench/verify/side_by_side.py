"""Several passes of the oracle at once: it is NumPy on one core for most of the time, and a proof needs a handful of passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import psutil

from bench.machine.host import usable_cores
from bench.spec import Network, training_elements

T = TypeVar("T")

WORTH_A_THREAD = 2_000_000
"""Activations read and written in a pass; one of fewer is over before a thread has started."""

BYTES_PER_ELEMENT = 16
"""Of memory for each activation read and written. A ResNet-50 at 224x224 has 64 million of them for each image; a pass over four
images took 2.7 GiB, which is 11 bytes for each."""


def side_by_side(passes: Iterable[Callable[[], T]], network: Network, images: int, most: int = 8) -> Iterator[T]:
    """Return what each of ``passes`` over so many ``images`` gives, in their order.

    As many run at once as there are cores and memory for, ``most`` of them at most. Whoever stops reading saves the passes not yet begun.
    """
    elements = training_elements(network) * images
    at_once = min(most, usable_cores(), max(1, psutil.virtual_memory().available // 2 // (BYTES_PER_ELEMENT * elements)))
    if at_once < 2 or elements < WORTH_A_THREAD:
        for one in passes:
            yield one()
        return
    waiting = iter(passes)
    with ThreadPoolExecutor(at_once, thread_name_prefix="oracle") as pool:
        while group := [pool.submit(one) for one in islice(waiting, at_once)]:
            for future in group:
                yield future.result()
