"""Proof that a backend computes what the specification says."""
