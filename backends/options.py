"""A backend's options: what ``--option NAME=VALUE`` may set, the default first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.contract import Settings

Choices = Mapping[str, Sequence[str]]


def choice(settings: Settings, name: str, choices: Choices) -> str:
    """The option's value. Raises ValueError for one that there is not."""
    chosen = settings.options.get(name, choices[name][0])
    if chosen not in choices[name]:
        *most, last = choices[name]
        raise ValueError(f"option {name} is '{chosen}'; expected {', '.join(most)} or {last}")
    return chosen


def ways(name: str, choices: Choices) -> list[dict[str, str]]:
    """Every value of one option, as ``Backend.alternatives`` gives them."""
    return [{name: value} for value in choices[name]]
