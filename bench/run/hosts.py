"""Hosts on which workers are started: this machine, or another that a command prefix reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Host:
    """A machine, and the words that run the rest of a command line on it, as ``("ssh", "node7")``; none for this machine."""

    name: str = ""  # as places have it
    prefix: tuple[str, ...] = ()

    def command(self, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Return the command line that runs ``command`` there. A prefix hands on no variables, so they stand in it."""
        if not self.prefix:
            return list(command)
        return [*self.prefix, "env", *(f"{name}={value}" for name, value in environment.items()), *command]


HERE = Host()
