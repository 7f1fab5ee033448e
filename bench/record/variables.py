"""The variables that a case's workers had: which the harness set, and which the user had set."""

from __future__ import annotations

from bench.record.schema import Case, Record


def worker_variables(record: Record, case: Case) -> tuple[dict[str, str], list[str]]:
    """Return what the harness set in a case's workers, and words NAME=VALUE of the user's that frameworks read.

    A variable that the harness sets never reached a worker with the user's value, so the user's is left out. Older records list the
    harness's own among the user's, and an empty JAX_PLATFORMS that meant none; neither tells two records apart.
    """
    chosen = record.environment | case.environment
    user = record.machine.facts.get("ambient", "").split()
    own = {name: value for name, value in chosen.items() if value}
    return own, [word for word in user if word.partition("=")[0] not in chosen]
