"""How a whole training treats its images, whatever the workload: known to what trains, and to what projects the time of a training."""

from __future__ import annotations

SHARES = (0.7, 0.1, 0.2)
"""Of the images, for training, validation and test, where the data come without a split of their own."""
VIEWS = 4
"""Of each image in an evaluation, unless the workload's recipe says otherwise."""
HOST_BATCH, DEVICE_BATCH = 64, 256
"""Images per batch of an evaluation. What it costs to build a predictor for new weights goes with the batch on a host, where
larger ones gain nothing."""
MIRROR_VIEWS = 4
"""Views that keep rows and columns apart: an oblong image has no others."""


def evaluation_batch(on_host: bool) -> int:
    """Return the images per batch of an evaluation; ``on_host`` says that the device is the host's processor."""
    return HOST_BATCH if on_host else DEVICE_BATCH


def views_of(wanted: int, height: int, width: int) -> int:
    """Return the views of an image that has so many pixels, of so many that the recipe wants."""
    return wanted if height == width else min(wanted, MIRROR_VIEWS)
