"""Days versus hours: the time of a whole project, computed from measured rates."""

from bench.projection.assumptions import Assumptions
from bench.projection.model import BreakEven, Decoding, Measured, Members, Projection, break_even, project, speed_up
from bench.projection.prices import Price, find_price, parse_price, read_prices

__all__ = [
    "Assumptions",
    "BreakEven",
    "Decoding",
    "Measured",
    "Members",
    "Price",
    "Projection",
    "break_even",
    "find_price",
    "parse_price",
    "project",
    "read_prices",
    "speed_up",
]
