"""What backends have in common that need no framework: options, which ``--option NAME=VALUE`` sets, the default first; layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.contract import Settings
from bench.spec import AveragePool, BatchNorm, Conv2d, Dense, Flatten, GlobalAveragePool, MaxPool, ReLU, SiLU

LAYERS = (AveragePool, BatchNorm, Conv2d, Dense, Flatten, GlobalAveragePool, MaxPool, ReLU, SiLU)
"""The leaf layers that both lowerings have, of PyTorch and of JAX."""

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
