"""What a time budget buys: pairs, looks at them, and the smallest slow-down they can find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import BudgetError
from bench.statistics.pairs import LOOKS, Look, detectable_with, plan_looks

ASSUMED_SCATTER = 0.02
"""Standard deviation of d over pairs where nothing has been measured yet."""


@dataclass(frozen=True)
class Budget:
    """So many pairs of each case at most, and what they can tell."""

    most_pairs: int
    looks: tuple[Look, ...]
    pair_seconds: float  # all cases together
    detectable: float  # fraction, for pairs that scatter by ``scatter``
    scatter: float


def plan_budget(
    pair_seconds: Sequence[float], seconds: float | None, most_pairs: int, scatter: float = ASSUMED_SCATTER
) -> Budget:
    """Looks that fit into ``seconds`` (None: no limit) at ``pair_seconds`` for a pair of each case.

    Raises BudgetError where not even the smallest look fits.
    """
    each = sum(pair_seconds)
    fitting = most_pairs if seconds is None else min(most_pairs, int(seconds / each))
    if fitting < LOOKS[0]:
        needed = f"{LOOKS[0]} pairs of {len(pair_seconds)} case{'s' if len(pair_seconds) > 1 else ''} take {each * LOOKS[0]:.0f} s"
        left = (
            "what is left of the budget"
            if seconds is None
            else f"of the budget {max(seconds, 0):.0f} s are left after starting, which"
        )
        raise BudgetError(
            f"{left} is too little for the smallest look: {needed}; give --budget more, or fewer cases, or shorter trials with --seconds"
        )
    looks = plan_looks(fitting, len(pair_seconds))
    most = looks[-1].pairs
    return Budget(most, looks, each, detectable_with(most, scatter, looks[-1].level), scatter)
