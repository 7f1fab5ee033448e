"""Making a record fit for strangers' eyes: what identifies people, hosts or projects goes, every sample and check stays."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from bench.record.schema import Machine, Record, Trial

REDACTED = "…"
_PUBLIC_FACTS = ("governor", "python", "libc", "thp", "quota", "virtual", "numa")


def redacted(record: Record, keep_labels: Collection[str] = ()) -> Record:
    """The record without host name, labels, log tails, commits, device serials, and every word of its command that is not an
    option's name, a number or a plain word."""
    return msgspec.structs.replace(
        record,
        command=_command(record.command),
        bench={name: value for name, value in record.bench.items() if name != "commit"},
        machine=_machine(record.machine),
        labels={name: value for name, value in record.labels.items() if name in keep_labels},
        trials=[_trial(trial) for trial in record.trials],
    )


def _command(words: Sequence[str]) -> list[str]:
    """What follows --label goes, too."""
    before = ["", *words]
    return [REDACTED if earlier == "--label" else _word(word) for earlier, word in zip(before, words, strict=False)]


def _word(word: str) -> str:
    option, sign, value = word.partition("=")
    if sign and option.startswith("--label"):
        return f"{option}={REDACTED}"
    plain = all(character.isalnum() or character in "-_.,:=" for character in word)
    return word if plain and len(word) <= 60 and "@" not in value else REDACTED


def _machine(machine: Machine) -> Machine:
    return msgspec.structs.replace(
        machine,
        host=REDACTED,
        facts={name: value for name, value in machine.facts.items() if name in _PUBLIC_FACTS},
        gpus=[{name: value for name, value in gpu.items() if name not in {"uuid", "serial", "pci"}} for gpu in machine.gpus],
    )


def _trial(trial: Trial) -> Trial:
    return msgspec.structs.replace(trial, log_tail="", reason=trial.reason[:200], package={})
