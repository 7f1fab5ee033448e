"""Holding records against each other: what may be compared, what differs, and the verdict. Reads records only."""

from __future__ import annotations

from bench.comparison.compare import compare
from bench.comparison.facts import VARIABLE
from bench.comparison.model import CaseComparison, Comparison, Figures, StageChange

__all__ = ["VARIABLE", "CaseComparison", "Comparison", "Figures", "StageChange", "compare"]
