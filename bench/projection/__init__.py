"""Days versus hours: the time of a whole project, computed from measured rates."""

from bench.projection.assumptions import Assumptions
from bench.projection.model import Decoding, Measured, Members, Projection, project, speed_up

__all__ = ["Assumptions", "Decoding", "Measured", "Members", "Projection", "project", "speed_up"]
