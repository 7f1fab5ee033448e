"""The record of a run: its schema, and reading and writing it."""
