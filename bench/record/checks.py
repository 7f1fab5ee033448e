"""The names of checks: those made in a sharper precision than the case's own have it behind their plain name."""

from __future__ import annotations

from bench.precisions import PRECISIONS

_IN = ", in "

MANY_IMAGES = "a check on many images"
"""What a case lacks whose trials were all checked briefly, on few images each (``bench.record.schema.Trial.brief``)."""


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
