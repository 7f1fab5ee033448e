"""Limits that the command line names too: this module imports nothing, for help must cost next to nothing."""

STALL_SECONDS = 600.0
"""How long any worker may be silent. Frameworks on a cold network disk take minutes to import."""
