"""The executable definition of the spec: slow, clear NumPy in float64, with rounding models for lower precisions."""
