"""The gate: steering a check from its budget to its verdict. Wires ``bench.run`` to ``bench.comparison``."""
