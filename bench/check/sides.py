"""The two sides of a check: an interpreter each, and what tells that either runs its own code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import NotComparableError
from bench.run.discovery import survey


@dataclass(frozen=True)
class Side:
    """An environment that takes part in a check."""

    name: str  # for people: a git ref, "this environment"
    python: str  # its interpreter
    checkout: Path | None = None  # where a git ref's code was checked out for it
    alone: bool = False  # it sees no package of any other environment
    packages: Mapping[str, str] = field(default_factory=dict)  # versions by name, where it is known what is installed


def refuse_shared_code(base: Side, candidate: Side, stall: float) -> None:
    """Raises NotComparableError where the base of a git ref would not run the code that was checked out for it.

    Which folder each side imports the harness and its plugins from is asked of a worker, silent for ``stall`` seconds at most. A project
    may lay its packages out as it likes, so what counts is that the two sides import from different folders: in environments that share no
    package all of them, elsewhere at least one.
    """
    there, here = (survey(side.python, stall).folders for side in (base, candidate))
    shared = [name for name, folder in there.items() if folder and folder == here.get(name)]
    if shared if base.alone else len(shared) == len(there):
        raise NotComparableError(
            f"the environment made for {base.name} does not run the code checked out in {base.checkout}: {', '.join(shared)} would come "
            "from the same folder on both sides; take what names that folder, such as PYTHONPATH, away"
        )


def differing_packages(base: Side, candidate: Side) -> str:
    """Return a sentence on the packages that differ between the environments of the two sides; empty where none does."""
    names = sorted({**base.packages, **candidate.packages})
    both = [(name, base.packages.get(name, "none"), candidate.packages.get(name, "none")) for name in names]
    differing = [f"{name} {there} → {here}" for name, there, here in both if there != here]
    return f"Packages that differ: {', '.join(differing)}." if differing else ""
