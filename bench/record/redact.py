"""Making a record fit for strangers' eyes: what identifies people, hosts or projects goes, every sample and check stays.

What may stay is listed, not what must go: free text, which may quote anything, is cut whole, and what decides whether figures may be
pooled is hashed, so that a redacted record pools with others as it did before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Sequence

import msgspec

from bench.record.schema import Case, DataFacts, Finding, Machine, Rank, Record, Skip, Trial

REDACTED = "…"
_PUBLIC_FACTS = (
    "python",
    "libc",
    "governor",
    "frequency_driver",
    "smt",
    "huge_pages",
    "cgroup_quota",
    "virtual",
    "hardware",
)
_PUBLIC_GPU_FACTS = (
    "name",
    "driver",
    "memory_bytes",
    "power_limit_watts",
    "sm_clock_max_mhz",
    "ecc",
    "persistence",
)
_NUMBER = re.compile(r"[-+]?[\d.,:]+(?:e-?\d+)?")
_COMMANDS = ("bench", "run", "reproduce", "forecast-check", "check", "train", "quick")
_VALUES = ("on", "off", "true", "false", "yes", "no", "none", "auto", "active", "passive")
_WORDS = frozenset((*_COMMANDS, *_VALUES))


def redacted(record: Record, keep_labels: Collection[str] = ()) -> Record:
    """The record without host name, labels, free text, commits, serial numbers, and whatever of its command names more than what
    was measured."""
    known = _vocabulary(record)
    return msgspec.structs.replace(
        record,
        command=_command(record.command, known),
        bench={name: value for name, value in record.bench.items() if name != "commit"},
        machines={host: _machine(machine) for host, machine in record.machines.items()},
        data=[_data(data) for data in record.data],
        cases=[_case(case, known) for case in record.cases],
        labels={name: value for name, value in record.labels.items() if name in keep_labels},
        skips=[Skip(what=_words(skip.what, known), reason=REDACTED) for skip in record.skips],
        trials=[retold(trial, lambda text: text and REDACTED, _rank) for trial in record.trials],
    )


def _vocabulary(record: Record) -> frozenset[str]:
    """Words that say what was measured."""
    words = {"backend", "device", "core", "cores", "batch", *_WORDS}
    for case in record.cases:
        words |= {case.backend, *case.devices, case.workload, case.size, f"{case.workload}-{case.size}"}
        words |= {case.phase, case.scenario, case.precision}
    return frozenset(words)


def _command(words: Sequence[str], known: Collection[str]) -> list[str]:
    """Options by their names; of other words numbers, and those that say what was measured."""
    return [_option(word, known) if word.startswith("--") else _plain(word, known) for word in words]


def _option(word: str, known: Collection[str]) -> str:
    name, sign, value = word.partition("=")
    return f"{name}={_plain(value, known)}" if sign else name


def _plain(word: str, known: Collection[str]) -> str:
    short_option = re.fullmatch(r"-[a-z]", word) is not None
    return word if short_option or word in known or _NUMBER.fullmatch(word) else REDACTED


def _words(text: str, known: Collection[str]) -> str:
    return " ".join(_plain(word, known) for word in text.split())


def _case(case: Case, known: Collection[str]) -> Case:
    return msgspec.structs.replace(case, options={name: _hashed(value, known) for name, value in case.options.items()})


def _hashed(value: str, known: Collection[str]) -> str:
    """The value, or what tells it from others."""
    if value in known or _NUMBER.fullmatch(value):
        return value
    return REDACTED + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _data(data: DataFacts) -> DataFacts:
    return data if data.synthetic else msgspec.structs.replace(data, description=REDACTED, understood=[])


def _machine(machine: Machine) -> Machine:
    facts = {name: value for name, value in machine.facts.items() if name in _PUBLIC_FACTS}
    ambient = [word.partition("=") for word in machine.facts.get("ambient", "").split()]
    if ambient:
        facts["ambient"] = " ".join(f"{name}{sign}{_hashed(value, _WORDS)}" for name, sign, value in ambient)
    system, _, release = machine.system.partition(" ")
    return msgspec.structs.replace(
        machine,
        host=REDACTED,
        system=f"{system} {'.'.join(release.split('.')[:2])}".rstrip(),
        facts=facts,
        findings=[_finding(finding) for finding in machine.findings],
        gpus=[{name: value for name, value in gpu.items() if name in _PUBLIC_GPU_FACTS} for gpu in machine.gpus],
    )


def _finding(finding: Finding) -> Finding:
    return msgspec.structs.replace(finding, found=REDACTED, remedy=REDACTED)


def _rank(rank: Rank) -> Rank:
    """What disturbed a trial stays: the worker makes its sentences of a device's name, fixed words and counts."""
    return msgspec.structs.replace(rank, log_tail="", package={})


def retold(trial: Trial, text: Callable[[str], str], rank: Callable[[Rank], Rank]) -> Trial:
    """Return a trial with its reason and its checks' details as ``text`` makes them, and its ranks as ``rank`` does."""
    checks = [msgspec.structs.replace(check, detail=text(check.detail)) for check in trial.checks]
    return msgspec.structs.replace(trial, reason=text(trial.reason), checks=checks, ranks=[rank(one) for one in trial.ranks])
