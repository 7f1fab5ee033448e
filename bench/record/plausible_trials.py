"""Whether a trial can be true: its times against each other, its counts, its curve and its checks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, pairwise

from bench.record.checks import plain_name
from bench.record.schema import Case, Check, Energy, Evaluation, Machine, Rank, Trial
from bench.text.words import clean

SHORTEST_SAMPLE = 1e-6
"""Seconds. Reading the clock and calling a function take about that; an answer that had to be waited for takes longer."""

CLOCKS_DIFFER = 0.5
"""Seconds by which times that two processes read from their own clocks may contradict each other."""

DATES_DIFFER = timedelta(minutes=2)
"""By how much a trial's date may lie outside its record's: a machine's date may be put right meanwhile."""

AT_LEAST = frozenset({"updates follow the gradient"})
"""Checks that pass with at least what is allowed; every other one passes with at most that."""

BOUNDED = ("auc", "accuracy")
"""Measures between 0 and 1."""

LARGEST_DRAW = 1e9
"""Watts, of any device."""

COUNTED_ALIKE = 2
"""Samples from which on two trials cannot be alike to the last bit by chance."""


def said(value: float) -> str:
    """A number of a record in few digits."""
    return f"{value:g}" if math.isfinite(value) else "not-a-number" if math.isnan(value) else "infinitely many"


def trial_faults(
    case: Case, trial: Trial, machines: Mapping[str, Machine], begun: datetime | None, ended: datetime | None
) -> Iterator[str]:
    """What of one trial cannot be, each as the end of a sentence. ``begun`` and ``ended``: when its record was, where known."""
    yield from _counts(trial)
    yield from _dates(trial, begun, ended)
    if not (math.isfinite(trial.wall) and trial.wall >= 0):
        yield f"a wall time of {said(trial.wall)} s"
    for rank in trial.ranks:
        yield from _of_rank(rank, trial)
    if trial.status in {"ok", "invalid"}:
        yield from _ranks(case, trial, machines)
        if trial.role == "trial":
            yield from _sizes(case, trial)
    yield from _curve(case, trial)
    yield from (sentence for check in trial.checks for sentence in _of_check(check))
    if any(loss is not None and not math.isfinite(loss) for loss in trial.losses):
        yield "a loss that is no number"


def twin_samples(cases: Sequence[Case], trials: Sequence[Trial]) -> Iterator[tuple[int, str]]:
    """Trials whose samples are those of another one to the last bit: one measurement under two numbers. Case and sentence."""
    seen: dict[tuple[float, ...], Trial] = {}
    for trial in trials:
        samples = tuple(chain.from_iterable(rank.samples for rank in trial.ranks))
        if len(samples) < COUNTED_ALIKE:
            continue
        first = seen.setdefault(samples, trial)
        if first is not trial:
            names = [f"{one.role} {one.number} of {clean(cases[one.case].label, 100)}" for one in (first, trial)]
            for case in dict.fromkeys((first.case, trial.case)):
                yield case, f"the same samples in {names[0]} and {names[1]}"


# ---- counts and dates ----------------------------------------------------------------------------------------------------


def _counts(trial: Trial) -> Iterator[str]:
    counts = [
        ("as its number", trial.number), ("as its place in the order", trial.order), ("images per sample", trial.images_per_sample),
        ("steps per sample", trial.steps_per_sample), ("warm-up samples", trial.warmup),
        *(("bytes of host memory", rank.host_memory) for rank in trial.ranks),
        *(("bytes of device memory", rank.device_memory) for rank in trial.ranks),
    ]  # fmt: skip
    yield from (f"{count:,} {name}" for name, count in counts if count < 0)


def _dates(trial: Trial, begun: datetime | None, ended: datetime | None) -> Iterator[str]:
    try:
        started = datetime.fromisoformat(trial.started)
        early = begun is not None and started < begun - DATES_DIFFER
        late = ended is not None and started > ended + DATES_DIFFER
    except (ValueError, TypeError, OverflowError):  # no date, or one without a time zone: nothing can be said
        return
    if early:
        yield f"a start ({trial.started:.40}) before its record was begun"
    elif late:
        yield f"a start ({trial.started:.40}) after its record was finished"
    elif begun is not None and ended is not None and math.isfinite(trial.wall):
        most = (ended - begun + 2 * DATES_DIFFER).total_seconds()
        if trial.wall > most:
            yield f"a wall time of {said(trial.wall)} s in a record of {(ended - begun).total_seconds():g} s"


# ---- times ------------------------------------------------------------------------------------------------------------------


def _of_rank(rank: Rank, trial: Trial) -> Iterator[str]:
    wall = trial.wall
    for name, seconds in rank.stages.items():
        if not (math.isfinite(seconds) and seconds >= 0):
            yield f"a stage ({clean(name, 20)}) of {said(seconds)} s"
    spent = math.fsum(seconds for seconds in rank.stages.values() if math.isfinite(seconds) and seconds > 0)
    if spent > wall + CLOCKS_DIFFER:
        yield f"stages of {said(spent)} s in all, more than its wall time of {said(wall)} s"
    if rank.samples:
        yield from _samples(rank.samples, wall)
    if any(count < 1 for count in rank.pixels_per_sample):
        yield f"a sample of {min(rank.pixels_per_sample):,} pixels"


def _samples(samples: Sequence[float], wall: float) -> Iterator[str]:
    if not all(map(math.isfinite, samples)):
        yield "a sample that is no number, or infinite"
    elif min(samples) <= 0:
        yield f"a sample of {said(min(samples))} s; every sample takes time"
    elif min(samples) < SHORTEST_SAMPLE:
        yield f"a sample of {said(min(samples))} s, shorter than a clock can be read"
    elif math.fsum(samples) > wall + CLOCKS_DIFFER:
        yield f"samples of {said(math.fsum(samples))} s in all, more than its wall time of {said(wall)} s"


def counter_faults(trial: Trial) -> Iterator[str]:
    """What of a trial's energy counters cannot be. A counter that broke says nothing against the times beside it."""
    for rank in trial.ranks:
        for name, counted in rank.energy.items():
            yield from (f"{sentence} by counter {clean(name, 20)}" for sentence in _energy(counted, trial.wall))


def _energy(counted: Energy, wall: float) -> Iterator[str]:
    if not (math.isfinite(counted.joules) and counted.joules >= 0):
        yield f"an energy of {said(counted.joules)} J"
    elif counted.seconds > 0 and counted.joules / counted.seconds > LARGEST_DRAW:
        yield f"a draw of {said(counted.joules / counted.seconds)} W"
    if not (math.isfinite(counted.seconds) and 0 < counted.seconds <= wall + CLOCKS_DIFFER):
        yield f"energy counted for {said(counted.seconds)} s of a wall time of {said(wall)} s"
    if counted.idle_watts is not None and not 0 <= counted.idle_watts <= LARGEST_DRAW:
        yield f"an idle draw of {said(counted.idle_watts)} W"


# ---- a trial that gave a figure ------------------------------------------------------------------------------------------


def _ranks(case: Case, trial: Trial, machines: Mapping[str, Machine]) -> Iterator[str]:
    if len(trial.ranks) != len(case.places):
        yield f"{len(trial.ranks)} ranks for {len(case.places)} places"
        return
    if trial.role == "trial" and len({len(rank.samples) for rank in trial.ranks}) > 1:
        yield f"ranks of {' and '.join(str(len(rank.samples)) for rank in trial.ranks)} samples"
    for rank, place in zip(trial.ranks, case.places, strict=True):
        memory = machines[place.host].memory if place.host in machines else 0
        if rank.host_memory > memory > 0:
            yield f"a process of {rank.host_memory:,} bytes on a machine of {memory:,}"


def _sizes(case: Case, trial: Trial) -> Iterator[str]:
    how, samples = case.how, len(trial.ranks[0].samples) if trial.ranks else 0
    if how.to_target:
        if trial.status == "ok" and not trial.curve:
            yield "no evaluation, though it trained to a target"
        return
    if trial.status == "ok" and samples == 0:
        yield "no samples, though it ended well"
    elif trial.warmup >= samples > 0:
        yield f"{trial.warmup:,} warm-up samples of {samples:,} in all"
    asked = trial.steps_per_sample * case.batch_size * len(case.places)
    if how.batch and trial.status == "ok" and trial.images_per_sample != asked:
        yield (
            f"{trial.images_per_sample:,} images per sample; {trial.steps_per_sample:,} steps of batch {case.batch_size:,} on "
            f"{len(case.places):,} ranks hold {asked:,}"
        )
    elif trial.status == "ok" and trial.images_per_sample < 1:
        yield f"{trial.images_per_sample:,} images per sample"
    if how.counts == "pixels":
        yield from (
            f"{len(rank.pixels_per_sample):,} counts of pixels for {len(rank.samples):,} samples"
            for rank in trial.ranks
            if len(rank.pixels_per_sample) != len(rank.samples)
        )


# ---- quality and proof -------------------------------------------------------------------------------------------------------


def _curve(case: Case, trial: Trial) -> Iterator[str]:
    curve = trial.curve
    if curve and not case.how.to_target:
        yield "evaluations, though it trained to no target"
    if case.how.to_target and len(curve) > max(case.epochs, 0):
        yield f"{len(curve):,} evaluations of {case.epochs:,} epochs"
    for name, values in (("epochs", [point.epoch for point in curve]), ("steps", [point.steps for point in curve])):
        if any(after <= before for before, after in pairwise([0, *values])):
            yield f"a curve whose {name} do not rise"
    seconds = [point.seconds for point in curve]
    if any(not after > before for before, after in pairwise([0.0, *seconds])):
        yield "a curve whose seconds do not rise"
    elif seconds and seconds[-1] > trial.wall + CLOCKS_DIFFER:
        yield f"a curve of {said(seconds[-1])} s in a wall time of {said(trial.wall)} s"
    if any(point.loss is not None and not math.isfinite(point.loss) for point in curve):
        yield "a loss on its curve that is no number"
    yield from _measures(curve, trial.test)


def _measures(curve: Sequence[Evaluation], test: Mapping[str, float]) -> Iterator[str]:
    for where, measures in (*(("validation", point.measures) for point in curve), ("test", test)):
        for name, value in measures.items():
            if name in BOUNDED and not 0 <= value <= 1:
                yield f"a {where} {name} of {said(value)}; expected 0 to 1"
                return


def _of_check(check: Check) -> Iterator[str]:
    found, allowed = check.found, check.allowed
    if not check.passed or found is None or allowed is None:
        return
    name = clean(check.name, 40)
    if plain_name(check.name) in AT_LEAST:
        if not found >= allowed:
            yield f"a passed check ({name}) that found {found:.3g}, below the {allowed:.3g} asked for"
    elif not found <= allowed:
        yield f"a passed check ({name}) that found {found:.3g}, above the {allowed:.3g} allowed"
