"""What people and programs read of an analysis: words, tables, pictures and a page."""
