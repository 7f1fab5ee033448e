"""The start of the command line, under a name that no other package has.

``bench`` is a name that many projects have for a package of their own. Where such a package comes first on Python's path, nothing of
ours can be imported, so what finds that out lies outside of it and imports nothing but the standard library.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def foreign_bench() -> str:
    """Return a sentence where ``import bench`` would find, or has found, another project's package or none; else nothing."""
    loaded = sys.modules.get("bench")
    spec = find_spec("bench") if loaded is None else loaded.__spec__
    own = Path(__file__).resolve().parent / "bench"
    places = [] if spec is None else [*(spec.submodule_search_locations or []), spec.origin or ""]
    if any(place and Path(place).resolve() in (own, own / "__init__.py") for place in places):
        return ""
    found = next((place for place in places if place), "nothing")
    return (
        f"accelbench needs its own package 'bench', and Python finds {found} in its place; take that folder off PYTHONPATH, or run "
        "from another folder or environment"
    )


def main() -> object:
    """Run the command line; exit with code 2 and one sentence where ``bench`` is another project's package."""
    trouble = foreign_bench()
    if trouble:
        sys.stderr.write(f"bench: {trouble}\n")
        sys.exit(2)
    try:
        from bench.cli import main as run
    except KeyboardInterrupt:  # from here on the command line says it
        sys.stderr.write("bench: interrupted\n")
        sys.exit(130)
    return run()
