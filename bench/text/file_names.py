"""File names as text: on Linux a name is any bytes, and Python keeps those that are not UTF-8 as lone surrogates."""

from __future__ import annotations

from bench.errors import UsageError


def printable(text: str) -> str:
    """The text with every byte that is not UTF-8 written as ``\\xe9``, so that it can be printed and sent as JSON."""
    try:
        return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode(errors="backslashreplace").decode()


def refuse_other_bytes(text: str, what: str) -> None:
    """Raises UsageError where ``what`` the user gave is not UTF-8: jobs and records, which are JSON, could not hold it."""
    if printable(text) != text:
        raise UsageError(
            f"{what} {printable(text)!r:.200} has bytes that are not UTF-8: expected a name in UTF-8; rename it, or give a link to "
            "it that has another name"
        )
