"""The cache of measured ceilings: one small file per machine fingerprint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.record.schema import Ceiling, DeviceFacts
from bench.run.folders import cache_folder
from bench.run.plan import PlannedCase


def ceiling_key(planned: PlannedCase, devices: Sequence[DeviceFacts]) -> str:
    """Backend with its versions, device, precision and cores: what a ceiling belongs to."""
    case = planned.case
    facts = next((d for d in devices if (d.backend, d.id) == (case.backend, case.devices[0])), None)
    versions = "" if facts is None else " ".join(f"{name} {version}" for name, version in sorted(facts.versions.items()))
    return f"{case.backend} [{versions}] {case.devices[0]} {case.precision} {case.threads} cores"


def recall(fingerprint: str, key: str) -> list[Ceiling] | None:
    """Ceilings measured earlier on this machine, if any."""
    return _read(_path(fingerprint)).get(key)


def remember(fingerprint: str, key: str, ceilings: list[Ceiling]) -> None:
    """Keep ceilings for later runs; nothing is kept of a failed measurement."""
    if not ceilings:
        return
    path = _path(fingerprint)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(msgspec.json.encode(_read(path) | {key: ceilings}))
    temporary.replace(path)


def _path(fingerprint: str) -> Path:
    return cache_folder() / "ceilings" / f"{fingerprint}.json"


def _read(path: Path) -> dict[str, list[Ceiling]]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, list[Ceiling]])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return {}  # only a cache: measured again
