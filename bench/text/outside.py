"""The door through which every word goes on its way to a terminal or to a log of continuous integration.

Names of devices, exceptions, logs and records are other people's words. A terminal obeys escape sequences, controls of U+0080 to U+009F
and marks that turn the direction of writing; GitHub and Azure take some lines of a log for commands. Here they all become text.
"""

from __future__ import annotations

import re
from typing import TextIO

_CONTROLS = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # but for tab, line feed, and a carriage return before one
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
    "\ud800-\udfff]"  # halves of pairs, which stand for bytes that are no text
    "|\r(?!\n)"
)
_COMMAND = re.compile(r"^([^\S\n]*)::", re.MULTILINE)  # GitHub's, at the beginning of a line
_OLD_COMMAND = re.compile(r"##(?=\[|vso\[)")  # GitHub's older and Azure's, anywhere


def harmless(text: str, begins_line: bool = True) -> str:
    r"""Return the text with each character that is no text as its escape, ``\u001b``, and without commands to a log's reader.

    ``begins_line``: nothing but white space stands before it on its line. An escape within a string of JSON means the character itself, so
    documents in JSON stay what they are.
    """
    text = _CONTROLS.sub(_escaped, text)
    if ":" in text:
        skipped = 0 if begins_line else text.find("\n") + 1 or len(text)
        text = text[:skipped] + _COMMAND.sub(r"\1\\u003a:", text[skipped:])
    return _OLD_COMMAND.sub(r"#\\u0023", text)


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


def begins_line(text: str, before: bool) -> bool:
    """Whether what comes after the text begins a line; ``before``: whether the text itself does."""
    last = text.rpartition("\n")
    return not last[2].strip() and (before or bool(last[1]))


def behind_the_door(stream: TextIO) -> TextIO:
    """Return the stream without its door, for bars, which are drawn by escape sequences; what others say goes through ``harmless``."""
    inner: TextIO = getattr(stream, "behind", stream)
    return inner


def is_lost(stream: TextIO | None) -> bool:
    """Whether what is written to a standard stream reaches nobody: it is closed, its reader has left, or its disk is full."""
    return stream is None or bool(getattr(stream, "lost", False))
