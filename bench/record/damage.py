"""What decoding raises where words from outside are not what was written."""

from __future__ import annotations

import msgspec

DAMAGE = (msgspec.DecodeError, RecursionError, ValueError)
"""Errors of a decoder: other words or types than expected, too deep nesting, bytes that are not UTF-8 (a ValueError), a value that a
check refuses. msgspec documents ``DecodeError``, of which its ``ValidationError`` is a kind; the other two come from Python."""
