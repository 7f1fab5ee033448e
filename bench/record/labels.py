"""Labels of a record that ``bench check`` sets, and that say how its trials belong together."""

from __future__ import annotations

CHECK = "check"
"""Which check made the record; nothing that a check measured is a baseline for another."""

ARM = "arm"
"""Which of the two environments of a check measured side by side."""

LEVEL = "level"
"""``level.N``: the one-sided error level of *regressed* at which case N was decided."""

PASS_LEVEL = "pass-level"
"""``pass-level.N``: that of *pass*. Older records lack it, and their checks had one level for both."""

ARMS = ("base", "candidate")


def reserved(label: str) -> bool:
    """Whether only ``bench check`` may set this label."""
    return label in {CHECK, ARM} or label.startswith((f"{LEVEL}.", f"{PASS_LEVEL}."))
