"""Strings from records are other people's: made harmless before they reach a terminal, a page or a spreadsheet."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from bench.text.file_names import printable

_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS and the like: titles, links
    r"|\x1b[ -/]*[0-~]?"  # every other escape sequence
)
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, bidi and zero-width, surrogates, line separators
_PLAIN = re.compile(r"[ -~]*\Z")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#!])")


@lru_cache(maxsize=8192)
def clean(text: str, longest: int = 200) -> str:
    """One printable line: escape sequences and control characters dropped, white space folded, cut to ``longest``."""
    if not _PLAIN.match(text):
        text = _SEQUENCES.sub("", text[: 20 * longest])
        text = "".join(" " if character in "\t\r\n\v\f" else character for character in text)
        text = "".join(character for character in text if unicodedata.category(character) not in _UNPRINTABLE)
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


MOST_SAID = 2000
"""Characters of an exception's or a plugin's text that are kept: more would fill records and tables."""


def sayable(text: str) -> str:
    """The beginning of what others say, of characters that UTF-8 has (``printable``)."""
    return printable(text if len(text) <= MOST_SAID else text[: MOST_SAID - 1] + "…")


def said_by(error: BaseException) -> str:
    """What an exception says, as ``sayable`` has it; empty where its own words cannot be had, which are a plugin's code."""
    try:
        return sayable(str(error))
    except Exception:
        return ""


def first_line(text: str, longest: int = 160) -> str:
    """The first line that says something, cleaned."""
    for line in text[: 20 * longest].splitlines():
        if cleaned := clean(line, longest):
            return cleaned
    return ""


def markdown(text: str) -> str:
    """Cleaned text as GitHub's Markdown shows it: no markup, no HTML, no cell divider of its own."""
    text = _MARKDOWN.sub(r"\\\1", clean(text, 1000))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("@", "&#64;").replace("://", "&#58;//")  # names nobody, links nowhere


@lru_cache(maxsize=8192)
def spreadsheet(text: str) -> str:
    """Cleaned text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    text = clean(text, 1000)
    return "'" + text if text.startswith(_FORMULA) else text


def processor(name: str) -> str:
    """A processor's name without its trademarks and nominal clock: ``Intel Xeon Platinum 8468``."""
    name = re.sub(r"\((?:R|TM|C)\)|@.*$|\b(?:CPU|Processor)\b|\b\d+-Core\b", " ", clean(name, 120), flags=re.IGNORECASE)
    return " ".join(name.split()) or "unnamed processor"


def short(fingerprint: str) -> str:
    """Enough of a fingerprint or digest to tell it from the others on a page."""
    return clean(fingerprint)[:8]


def plural(count: int, noun: str) -> str:
    """``1 core``, ``2 cores``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
