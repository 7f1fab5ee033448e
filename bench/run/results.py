"""What a finished run's exit code should be."""

from __future__ import annotations

from bench.errors import ExitCode
from bench.record.figures import settled, standing
from bench.record.quality import seconds_to
from bench.record.schema import Record, Trial


def verdict(record: Record) -> ExitCode:
    """Return OK when every trial ran, was proven and reached its target if it had one, NOT_COMPARABLE when none ran.

    Anything else is SOME_FAILED, a run that was sealed before its end too.
    """
    trials = [trial for trial in settled(record.trials) if trial.role == "trial"]
    if not any(trial.status in {"ok", "disturbed"} for trial in trials):
        return ExitCode.NOT_COMPARABLE
    pilots = [trial for trial in record.trials if trial.role == "pilot"]
    whole = (
        record.complete
        and all(standing(trial) == "proven" and _arrived(record, trial) for trial in trials)
        and all(trial.status == "ok" for trial in pilots)
    )
    return ExitCode.OK if whole else ExitCode.SOME_FAILED


def _arrived(record: Record, trial: Trial) -> bool:
    targets = record.cases[trial.case].targets
    return not targets or seconds_to(targets, trial.curve) is not None
