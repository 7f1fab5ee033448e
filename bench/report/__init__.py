"""What people and programs read of an analysis: words, tables, pictures and a page."""

FORMATS = ("terminal", "markdown", "html", "png", "svg", "csv", "json", "pytest-benchmark")
"""The built-in formats of ``bench report``: no plugin may take these names."""
