"""The names of checks that were made in a sharper precision than the case's own: the plain name, and behind it the precision."""

from __future__ import annotations

from bench.precisions import PRECISIONS

_IN = ", in "


def named_in(name: str, precision: str) -> str:
    """Return the name of a check that was made in another precision: ``later losses, in fp32``."""
    return f"{name}{_IN}{precision}"


def plain_name(name: str) -> str:
    """Return the name of a check without the precision that it was made in."""
    return name.rpartition(_IN)[0] if sharper_precision(name) else name


def sharper_precision(name: str) -> str:
    """Return the sharper precision that a check was made in; empty where it was made in the case's own."""
    head, _, last = name.rpartition(_IN)
    return last if head and last in PRECISIONS else ""
