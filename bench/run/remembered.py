"""What was found out about a machine and holds for later runs too: one small file per subject and machine fingerprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from bench.record.damage import DAMAGE
from bench.record.files import write_durably
from bench.record.schema import Case, Ceiling, DeviceFacts
from bench.run.folders import cache_folder
from bench.worker.answers import Choice

Found = TypeVar("Found")


class Remembered(Generic[Found]):
    """Values of one type under keys. Only a cache: what cannot be read is found out again."""

    def __init__(self, subject: str, decoder: msgspec.json.Decoder[dict[str, Found]]) -> None:
        self._subject, self._decoder = subject, decoder

    def recall(self, fingerprint: str, key: str) -> Found | None:
        """Return what was found on this machine earlier under that key, if anything."""
        return self.recall_all(fingerprint).get(key)

    def recall_all(self, fingerprint: str) -> dict[str, Found]:
        """Return all that was found on this machine earlier, by key."""
        try:
            return self._decoder.decode(self._path(fingerprint).read_bytes())
        except (OSError, *DAMAGE):
            return {}

    def remember(self, fingerprint: str, found: Mapping[str, Found]) -> None:
        """Keep it for later runs, if the disk lets it be kept: a memory aid ends no measurement."""
        path = self._path(fingerprint)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(msgspec.json.encode({**self.recall_all(fingerprint), **found}), path)

    def _path(self, fingerprint: str) -> Path:
        return cache_folder() / self._subject / f"{fingerprint}.json"


CEILINGS = Remembered("ceilings", msgspec.json.Decoder(dict[str, list[Ceiling]]))
CHOICES = Remembered("choices", msgspec.json.Decoder(dict[str, Choice]))


METHOD = 2
"""Version of ceilings and searches: raised when either finds other figures than before, so that old ones are forgotten."""


def ceiling_key(case: Case, devices: Sequence[DeviceFacts]) -> str:
    """Return the key of a ceiling: backend with its versions, device, precision and cores."""
    return f"{_backend(case, devices)} {case.device} {case.precision} {case.cores} cores, method {METHOD}"


def choice_key(case: Case, devices: Sequence[DeviceFacts], digest: str, harness: str, candidates: Sequence[int] = ()) -> str:
    """Return the key of a choice: case, workload digest, versions of backend and harness, and the batch sizes that were open."""
    sizes = f"batch of {', '.join(map(str, candidates))}, " if candidates else ""
    return f"{case.identity} {digest} {_backend(case, devices)} accelbench {harness}, {sizes}method {METHOD}"


def _backend(case: Case, devices: Sequence[DeviceFacts]) -> str:
    facts = next((d for d in devices if (d.backend, d.id) == (case.backend, case.device)), None)
    versions = "" if facts is None else " ".join(f"{name} {version}" for name, version in sorted(facts.versions.items()))
    return f"{case.backend} [{versions}]"
