"""Work that is launched before what was launched earlier has come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Pending = TypeVar("Pending")
Result = TypeVar("Result")


def in_flight(launched: Iterable[Pending], wait: Callable[[Pending], Result], depth: int) -> Iterator[Result]:
    """Yield what each launch comes back with, in order, ``depth`` launches at most being under way at once.

    Taking the next of ``launched`` launches it, so give a generator. Nothing is launched while a result is looked at.
    """
    pending: deque[Pending] = deque()
    for one in launched:
        pending.append(one)
        if len(pending) == depth:
            yield wait(pending.popleft())
    while pending:
        yield wait(pending.popleft())
