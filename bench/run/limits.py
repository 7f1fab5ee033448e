"""Limits that the command line names too: this module imports nothing, for help must cost next to nothing."""

WIDEST = 100.0
"""Percent: the widest interval that a run can be asked to narrow its rates to."""

STALL_SECONDS = 600.0
"""How long any worker may be silent. Frameworks on a cold network disk take minutes to import."""
