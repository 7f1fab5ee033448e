"""From samples to figures with intervals, and to verdicts. Pure functions on numbers: they know no record and no report.

The unit is the process: steps of one process are not independent, and processes differ.
"""
