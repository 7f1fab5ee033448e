"""A lock per processor, so that two runs on one host do not disturb each other."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench.errors import BusyError
from bench.files import held
from bench.run.folders import lock_folder


@contextmanager
def locked(processors: Sequence[str], wait: bool) -> Iterator[None]:
    """Hold ``processors`` ("host", "gpu:0", …). Raises BusyError where another run does, unless ``wait``.

    The operating system lets go of the locks when this process ends, however it ends.
    """
    folder = lock_folder()
    with ExitStack() as stack:
        for processor in sorted(set(processors)):
            path = folder / f"{re.sub(r'[^A-Za-z0-9]', '-', processor)[:60]}.lock"
            if not stack.enter_context(held(path, "TMPDIR", wait=False)):
                if not wait:
                    raise BusyError(
                        f"another run is measuring on {processor}; two would disturb each other: use --wait to queue behind it"
                    )
                print(f"bench: waiting for another run, which is measuring on {processor} …", file=sys.stderr, flush=True)
                stack.enter_context(held(path, "TMPDIR"))
        yield
