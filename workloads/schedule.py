"""The schedule that the built-in workloads share."""

from __future__ import annotations

from bench.spec import Schedule

TRAINING_IMAGES = 7006  # of HAM10000, split by lesion: the yardstick of every schedule


def one_cycle(peak: float, batch_size: int, epochs: int) -> Schedule:
    """Up to ``peak`` in the first epoch, then half a cosine down over the others."""
    steps = TRAINING_IMAGES // batch_size
    return Schedule(peak, warmup_steps=steps, total_steps=epochs * steps)
