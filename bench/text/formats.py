"""Names of the built-in formats, for those who must know them without loading any."""

from __future__ import annotations

FORMATS = ("terminal", "markdown", "html", "png", "svg", "csv", "json", "pytest-benchmark")
"""The built-in formats of ``bench report``: no plugin may take these names."""
