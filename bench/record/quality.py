"""Reading a training's curve: when it reached its target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.record.schema import Case, Evaluation


def reached(point: Evaluation, targets: Mapping[str, float]) -> bool:
    """Whether an evaluation has every target."""
    return all(point.measures.get(name, -math.inf) >= target for name, target in targets.items())


def seconds_to(targets: Mapping[str, float], curve: Sequence[Evaluation]) -> float | None:
    """Seconds until the first evaluation that has every target; None where none has."""
    return next((point.seconds for point in curve if reached(point, targets)), None)


def goal(case: Case) -> str:
    """What a training goes to, and in how many epochs at most; nothing for other cases."""
    if not case.how.to_target:
        return ""
    return f"to {target_text(case.targets)} in at most {case.epochs} epochs"


def measure_name(measure: str) -> str:
    """A measure as people write it."""
    return {"auc": "AUC"}.get(measure, measure)


def target_text(targets: Mapping[str, float]) -> str:
    """``AUC 0.87 and accuracy 0.78``."""
    return " and ".join(f"{measure_name(name)} {value:g}" for name, value in sorted(targets.items(), reverse=True))
