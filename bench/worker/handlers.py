"""Functions of the worker by name, so that each is imported only where it runs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def handler(name: str) -> Callable[..., Any]:
    """Return the function that ``module:function`` names."""
    module, function = name.split(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
