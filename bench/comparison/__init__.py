"""Holding records against each other: what may be compared, what differs, and the verdict. Reads records only."""
