"""Inference and decoding of one device held against another's: what a training's speed-up is for training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from bench.analysis.model import MeasuredCase, Report
from bench.analysis.rows import case_names, short_name
from bench.errors import UsageError
from bench.statistics.ratios import Ratio, ratio
from bench.text.words import clean


class Versus(NamedTuple):
    """A case, the one it is held against, and how many times its rate the case reached."""

    case: MeasuredCase
    reference: MeasuredCase
    ratio: Ratio


def versus(report: Report) -> list[Versus]:
    """Return every case of inference against the reference device in the same scenario and precision, each at its own batch size, and
    decoding on several cores against the fewest of the same machine. Only rates that may stand in a speed-up take part."""
    valid = [case for case in report.measured if case.valid]
    return [*_inference(valid, report), *_decoding(valid)]


def _inference(valid: Iterable[MeasuredCase], report: Report) -> Iterator[Versus]:
    references = {_device(group.reference.best.train) for group in report.groups if group.reference is not None}
    wanted = None if report.groups else report.assumptions.reference

    def place(case: MeasuredCase) -> tuple[str, ...]:
        return case.key.workload, case.key.size, case.key.digest, case.key.scenario, case.key.precision

    inference = sorted((case for case in valid if case.key.how.builds == "predictor"), key=place)
    for _, members in groupby(inference, key=place):
        cases = list(members)
        known = [case for case in cases if _device(case) in references or wanted in case_names(case.key)]
        hosts = known or ([case for case in cases if case.shares_cores] if wanted is None else [])
        reference = max(hosts, key=_speed, default=None)
        if reference is None and wanted is None and not references:
            reference = min(cases, key=_speed)  # no host was measured: against the slowest device
        yield from _against(reference, cases)


def check_reference(cases: Iterable[MeasuredCase], wanted: str) -> None:
    """Raises UsageError where no valid inference was measured on the reference asked for; where nothing trains, it is inference's."""
    inference = [case for case in cases if case.valid and case.key.how.builds == "predictor"]
    if inference and not any(wanted in case_names(case.key) for case in inference):
        there = ", ".join(sorted({short_name(case.key) for case in inference}))
        raise UsageError(f"no valid inference on the reference '{clean(wanted, 60)}'; there is: {there}")


def _decoding(valid: Iterable[MeasuredCase]) -> Iterator[Versus]:
    def place(case: MeasuredCase) -> tuple[str, ...]:
        return case.key.machine, case.key.workload, case.key.size, case.key.digest, case.key.data

    decoding = sorted((case for case in valid if case.key.how.projected == "decoding"), key=place)
    for _, members in groupby(decoding, key=place):
        cases = sorted(members, key=lambda case: case.key.cores)
        yield from _against(cases[0], cases)


def _against(reference: MeasuredCase | None, cases: Iterable[MeasuredCase]) -> Iterator[Versus]:
    for case in cases:
        if reference is not None and case is not reference and reference.log is not None and case.log is not None:
            yield Versus(case, reference, ratio(reference.log, case.log))


def _device(case: MeasuredCase) -> tuple[object, ...]:
    return case.key.machine, case.key.backend, case.key.devices, case.key.stack


def _speed(case: MeasuredCase) -> float:
    return 0.0 if case.log is None else case.log.rate
