"""Pillow, imported when it is first needed, since it is an extra."""

from __future__ import annotations

from types import ModuleType

from bench.errors import DataError


def pillow() -> ModuleType:
    """The module ``PIL.Image``. Raises DataError where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            "reading image files needs Pillow, which is not installed: pip install 'accelbench[data]'"
        ) from error
    return Image
