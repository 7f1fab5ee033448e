"""Read by every Python that a test starts (``tests.support.site.environment``): no check by the clock fails there.

Tests with real processes ask what is kept, said and ended. On a machine that others use, an honest trial may fail by the clock, and
is then made again; what those checks find is tested with clocks of the tests' own (``tests/verify``), and by ``tests/proof/soak.py``.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

ANY = 1e9
"""Times as long: a limit that no test reaches."""


class Patient(Loader):
    """Loads ``bench.verify.pace``, and widens its limits."""

    def __init__(self, usual: Loader) -> None:
        self._usual = usual

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._usual.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._usual.exec_module(module)
        limits = dict.fromkeys(("SLOWER_SIDE_BY_SIDE", "SLOWER_IN_ALL", "SLOWER_THAN_TIMED"), ANY)
        vars(module).update(limits, _step_bounds=lambda quickest, timed: (-ANY, ANY))


class Finder(MetaPathFinder):
    """Finds that module once, before Python's own finders do."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "bench.verify.pace":
            return None
        sys.meta_path.remove(self)
        found = importlib.util.find_spec(name)
        if found is not None and found.loader is not None:
            found.loader = Patient(found.loader)
        return found


sys.meta_path.insert(0, Finder())
