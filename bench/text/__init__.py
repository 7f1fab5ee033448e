"""Words, tables and sections as text for a terminal and as Markdown."""
