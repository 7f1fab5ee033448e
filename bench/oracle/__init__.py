"""The executable definition of the spec: slow, clear NumPy in float64, with rounding models for lower precisions."""

from bench.oracle.arithmetic import Arithmetic, exact, rounded
from bench.oracle.model import Oracle, batch_statistics, gradients, predict, training_loss

__all__ = ["Arithmetic", "Oracle", "batch_statistics", "exact", "gradients", "predict", "rounded", "training_loss"]
