"""From what the ranks of a crew answered to one trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from bench.machine.other_work import SHARE
from bench.record.schema import Check, Rank, Trial
from bench.run.process import Outcome
from bench.worker.answers import RankResult

_OF_PLAN = ("blocks", "batch_size", "chosen")  # what a pilot decides, and no trial keeps


def trial_of(
    outcomes: Sequence[Outcome], case: int, number: int, role: Literal["pilot", "trial"], order: int
) -> tuple[Trial, RankResult | None]:
    """Return the trial, and what its first rank measured; None where a rank failed, whose trouble is then the trial's."""
    failed = next((one for one in outcomes if one.status != "ok" and not one.dragged), None)
    answers = [] if failed else [msgspec.json.decode(one.value, type=RankResult) for one in outcomes]
    own, ranks = _crew_of(answers, outcomes)
    told = failed or outcomes[0]
    disturbed = "" if failed else _disturbed(own["checks"], max(one.others for one in outcomes))
    trial = Trial(
        case=case,
        number=number,
        role=role,
        order=order,
        status="disturbed" if disturbed else told.status,
        started=outcomes[0].started,
        wall=max(one.wall for one in outcomes),
        reason=disturbed or told.reason,
        ranks=ranks,
        **own,
    )
    return trial, answers[0] if answers else None


def _disturbed(checks: Sequence[Check], others: float) -> str:
    """Why nothing can be said of a trial that failed by the clock alone: what ``others`` used of the cores meanwhile was measured from
    outside. Empty where it counts, for or against it."""
    failed = [check for check in checks if not check.passed]
    if others <= SHARE or not failed or not all(check.clock for check in failed):
        return ""
    names = " and ".join(f"'{check.name}'" for check in failed)
    return f"other processes used {others:.1f} cores while it was checked, so that {names} cannot be judged"


def _crew_of(answers: Sequence[RankResult], outcomes: Sequence[Outcome]) -> tuple[dict[str, Any], list[Rank]]:
    """Fields of the trial, and its ranks. What all ranks have alike is the first one's."""
    if not answers:
        return {}, [Rank(log_tail=one.log_tail) for one in outcomes]
    fields = [msgspec.structs.asdict(answer) for answer in answers]
    ranks = [Rank(**{name: own.pop(name) for name in Rank.__struct_fields__ if name in own}) for own in fields]
    own = {name: value for name, value in fields[0].items() if name not in _OF_PLAN}
    own["images_per_sample"] = sum(answer.images_per_sample for answer in answers)
    own["checks"] = [_named(check, rank, len(answers)) for rank, answer in enumerate(answers) for check in answer.checks]
    return own, ranks


def _named(check: Check, rank: int, ranks: int) -> Check:
    """The check, which says what rank it is of where there are several."""
    return check if ranks == 1 else msgspec.structs.replace(check, detail=f"rank {rank}: {check.detail}".rstrip(": "))
