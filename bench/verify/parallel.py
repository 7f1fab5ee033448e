"""Run several passes of the oracle at the same time.

A proof needs a handful of passes, and most of each is NumPy on one core. Four gradients of a ResNet-50 at 224x224, four images each,
took 19.7 s one after the other and 13.9 s two at a time (two cores of an AMD EPYC virtual machine, 2026-11-27).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bench.machine.host import available_memory, usable_cores
from bench.spec import Network
from bench.spec.counts import training_elements

T = TypeVar("T")

WORTH_A_THREAD = 2_000_000
"""Activations read and written in a pass. Smaller passes take turns; where the border lies is a choice and was not measured."""

BYTES_PER_ELEMENT = 16
"""Of memory for each activation read and written. A ResNet-50 at 224x224 has 64 million of them for each image; a pass over four
images took 2.7 GiB, which is 11 bytes for each."""

MOST_AT_ONCE = 8
"""Passes, however many cores there are: no check needs more of them."""


def in_parallel(passes: Sequence[Callable[[], T]], network: Network, images: int) -> list[T]:
    """Return what each of ``passes`` over so many ``images`` gives, in their order.

    As many run at once as there are cores and memory for. Passes must share no random generator.
    """
    elements = training_elements(network) * images
    at_once = min(
        len(passes), MOST_AT_ONCE, usable_cores(), max(1, available_memory() // 2 // (BYTES_PER_ELEMENT * elements))
    )
    if at_once < 2 or elements < WORTH_A_THREAD:
        return [one() for one in passes]
    from threadpoolctl import threadpool_limits

    # Each pass gets its share of the cores for its products: more threads than cores wait for one another.
    with (
        threadpool_limits(max(1, usable_cores() // at_once), user_api="blas"),
        ThreadPoolExecutor(at_once, thread_name_prefix="oracle") as pool,
    ):
        return list(pool.map(lambda one: one(), passes))
