"""What a trial yields and whether it counts: one rule for reports, comparisons, gates and exit codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from bench.errors import NoFigure
from bench.record.quality import seconds_to, target_text
from bench.record.schema import Case, Energy, Trial
from bench.text.words import plural

Standing = Literal["failed", "refuted", "unchecked", "proven"]


def standing(trial: Trial) -> Standing:
    """Return what a trial is good for: a figure counts where it is ``proven``, by checks of which every one passed. Checks that
    could not be judged prove nothing.

    A disturbed trial is as good as a failed one: it is left out, and speaks against no other.
    """
    if trial.status not in {"ok", "invalid"}:
        return "failed"
    if trial.status == "invalid" or any(not check.passed for check in trial.checks):
        return "refuted"
    return "proven" if any(check.judged for check in trial.checks) else "unchecked"


def settled(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials without those that were disturbed and have been made again under their number."""
    made = {(trial.case, trial.role, trial.number) for trial in trials if trial.status != "disturbed"}
    return [trial for trial in trials if trial.status != "disturbed" or (trial.case, trial.role, trial.number) not in made]


def trials_of(trials: Sequence[Trial], case: int) -> list[Trial]:
    """Return the trials of a case, named by its index, each number once; pilots are none."""
    return [trial for trial in settled(trials) if trial.case == case and trial.role == "trial"]


def samples(trial: Trial) -> list[float]:
    """Return the seconds of each sample, warm-up included: of several ranks those of the slowest, which the others wait for."""
    if len(trial.ranks) == 1:
        return trial.ranks[0].samples
    return [max(each) for each in zip(*(rank.samples for rank in trial.ranks), strict=False)]


def steady_samples(trial: Trial) -> list[float]:
    """Return the seconds of each sample after warm-up."""
    return samples(trial)[trial.warmup :]


def pixels(trial: Trial) -> list[int]:
    """Return the pixels that each sample held, of all ranks together; empty where pixels are not counted."""
    return [sum(each) for each in zip(*(rank.pixels_per_sample for rank in trial.ranks), strict=False)]


def stages(trial: Trial) -> dict[str, float]:
    """Return the seconds of each stage, of the rank that took longest."""
    if len(trial.ranks) == 1:
        return trial.ranks[0].stages
    names = dict.fromkeys(name for rank in trial.ranks for name in rank.stages)
    return {name: max(rank.stages.get(name, 0.0) for rank in trial.ranks) for name in names}


def host_memory(trial: Trial) -> int:
    """Return the bytes of the ranks' peaks together."""
    return sum(rank.host_memory for rank in trial.ranks)


def device_memory(trial: Trial) -> int:
    """Return the bytes of the largest rank's peak."""
    return max((rank.device_memory for rank in trial.ranks), default=0)


def energy(trial: Trial) -> dict[str, Energy]:
    """Return what was counted, by counter."""
    return {name: counted for rank in trial.ranks for name, counted in rank.energy.items()}


def disturbances(trial: Trial) -> tuple[str, ...]:
    """Return what disturbed any rank, each sentence once."""
    return tuple(dict.fromkeys(sentence for rank in trial.ranks for sentence in rank.disturbances))


def log_tail(trial: Trial) -> str:
    """Return the last words of the first rank that left any."""
    return next((rank.log_tail for rank in trial.ranks if rank.log_tail), "")


def figure(case: Case, trial: Trial) -> float:
    """Return ln(steady seconds per item) of a trial, by its scenario's row: per image, per pixel, or until the target.

    Raises NoFigure saying why there is none.
    """
    counts = case.how.counts
    if counts == "target":
        seconds = seconds_to(case.targets, trial.curve)
        if seconds is None:
            raise NoFigure(f"{target_text(case.targets)} was not reached in {plural(len(trial.curve), 'epoch')}")
        return log_time([seconds], 0, 1)
    items = pixels(trial) if counts == "pixels" else trial.images_per_sample
    return log_time(samples(trial), trial.warmup, items)


def log_time(samples: Sequence[float], warmup: int, items: int | Sequence[int]) -> float:
    """ln(total steady seconds / items) of one trial.

    ``samples`` are seconds, the first ``warmup`` of them warm-up; ``items`` counts the images of every sample, or lists
    what each sample held (pixels). Raises NoFigure where a sample is missing, NaN, infinite, zero or negative.
    """
    if warmup < 0:
        raise NoFigure(f"warm-up of {warmup} samples")
    steady = samples[warmup:]
    if not steady:
        raise NoFigure(f"no samples after warm-up ({len(samples)} in all, {warmup} of them warm-up)")
    total = sum(steady)
    if not math.isfinite(total):
        raise NoFigure("a sample that is NaN or infinite")
    if min(steady) <= 0:
        raise NoFigure(f"a sample of {min(steady):g} s; every sample must take time")
    count = _count(samples, warmup, items)
    return math.log(total) - math.log(count)


def _count(samples: Sequence[float], warmup: int, items: int | Sequence[int]) -> int:
    if isinstance(items, int):
        count, smallest = items * (len(samples) - warmup), items
    else:
        if len(items) != len(samples):
            raise NoFigure(f"{len(items)} counts for {len(samples)} samples")
        count, smallest = sum(items[warmup:]), min(items[warmup:])
    if smallest <= 0:
        raise NoFigure(f"a sample that holds {smallest} items")
    return count
