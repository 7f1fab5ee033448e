"""A lock per processor, so that two runs on one host do not disturb each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench.errors import BusyError
from bench.run.folders import lock_folder


@contextmanager
def locked(processors: Sequence[str], wait: bool) -> Iterator[None]:
    """Hold ``processors`` ("host", "gpu:0", …). Raises BusyError where another run does, unless ``wait``.

    The operating system lets go of the locks when this process ends, however it ends.
    """
    from filelock import FileLock, Timeout

    folder = lock_folder()
    with ExitStack() as stack:
        for processor in sorted(set(processors)):
            path = folder / f"{re.sub(r'[^A-Za-z0-9]', '-', processor)[:60]}.lock"
            try:
                stack.enter_context(FileLock(path, timeout=-1 if wait else 0, mode=0o666))
            except Timeout:
                raise BusyError(
                    f"another run is measuring on {processor}; two would disturb each other: use --wait to queue behind it"
                ) from None
        yield
