"""Choosing among records: by machine, backend, workload, label and date."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from bench.errors import UsageError
from bench.record.schema import Record


@dataclass(frozen=True)
class Selection:
    """Every condition that is given must hold; of one condition any of its values. Raises UsageError for a date that is none."""

    machines: Sequence[str] = ()  # beginnings of fingerprints, or parts of the processor's or a GPU's name
    backends: Sequence[str] = ()
    workloads: Sequence[str] = ()
    sizes: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    since: str = ""  # ISO date
    until: str = ""  # ISO date, itself included

    def __post_init__(self) -> None:
        for name, given in (("--since", self.since), ("--until", self.until)):
            try:
                if given and not (re.fullmatch(r"\d{4}-\d\d-\d\d", given) and date.fromisoformat(given)):
                    raise ValueError
            except ValueError:
                raise UsageError(f"{name} {given:.40} is no date; expected one as 2026-01-31") from None

    def takes(self, record: Record) -> bool:
        """Whether the record is chosen."""
        machine, day = record.machine, record.created[:10]
        names = [machine.cpu, *(gpu.get("name", "") for gpu in machine.gpus), *(device.name for device in record.devices)]
        return (
            (not self.machines or any(machine.fingerprint.startswith(word) or _in(word, names) for word in self.machines))
            and (not self.backends or any(case.backend in self.backends for case in record.cases))
            and (not self.workloads or any(case.workload in self.workloads for case in record.cases))
            and (not self.sizes or any(case.size in self.sizes for case in record.cases))
            and all(record.labels.get(name) == value for name, value in self.labels.items())
            and (not self.since or day >= self.since)
            and (not self.until or day <= self.until)
        )


def _in(word: str, names: Sequence[str]) -> bool:
    return any(word.lower() in name.lower() for name in names)
