"""Limits that the command line names too: this module imports next to nothing, for help must cost as little."""

from __future__ import annotations

from bench.errors import UsageError

WIDEST = 100.0
"""Percent: the widest interval that a run can be asked to narrow its rates to."""

STALL_SECONDS = 600.0
"""How long any worker may be silent. Frameworks on a cold network disk take minutes to import."""


MOST_SEED = 2**53
"""The largest seed: what any program that reads JSON still holds exactly."""


def check_seed(seed: int) -> None:
    """Raises UsageError for a seed that no record can hold."""
    if not 0 <= seed <= MOST_SEED:
        raise UsageError(f"a seed of {f'{seed}'[:24]} is not possible; expected 0 to {MOST_SEED:,}")


def checked_stall(seconds: float) -> float:
    """Return ``seconds``. Raises UsageError for a time of silence that ends every worker, or none."""
    if not 1 <= seconds <= 86400:
        raise UsageError(f"a stall timeout of {seconds:g} s is not possible; expected 1 second to a day")
    return seconds
