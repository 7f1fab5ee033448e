"""What a device-hour costs: given by the user, with where the figure comes from; there are no prices of our own."""

from __future__ import annotations

import datetime
import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError

_MOST = 1e9
_LARGEST_FILE = 200_000
FEWEST_CHARACTERS = 4
"""Of a fingerprint, to name a machine by."""
_GIVEN = re.compile(r"(?P<device>.+)=\s*(?P<amount>[^\s=]+?)\s*(?P<currency>[A-Za-z]{3})?")
_FIELDS = {"device", "per_hour", "currency", "date", "source"}


@dataclass(frozen=True)
class Price:
    """One hour of one device, with the host it sits in. Raises UsageError for an amount that is none."""

    device: str  # its id, its backend, its name, or MACHINE/ID with the beginning of a machine's fingerprint, 4 characters or more
    per_hour: float
    currency: str = ""  # ISO 4217, "" where it was not given
    date: str = ""  # of the price
    source: str = ""
    filed: bool = False  # from a file, which may price devices of other records, too

    def __post_init__(self) -> None:
        if not (math.isfinite(self.per_hour) and 0 <= self.per_hour <= _MOST):
            raise UsageError(f"a price of {self.per_hour} for '{self.device:.60}'; expected 0 to {_MOST:,.0f} an hour")


def parse_price(text: str) -> Price:
    """``cuda:0=2.90`` or ``cuda:0=2.90 EUR``. Raises UsageError."""
    found = _GIVEN.fullmatch(text.strip())
    try:
        amount = math.nan if found is None else float(found["amount"])
    except ValueError:
        amount = math.nan
    if found is None or math.isnan(amount):
        raise UsageError(
            f"the price '{text:.80}' is none; expected DEVICE=AMOUNT an hour, as cuda:0=2.90 or 'cuda:0=2.90 EUR'"
        )
    return Price(found["device"].strip(), amount, (found["currency"] or "").upper())


def read_prices(path: Path) -> tuple[Price, ...]:
    """The prices in a TOML file, a ``[[price]]`` for each device. Raises UsageError naming the file and what is wrong with it."""
    if path.exists() and not path.is_file():
        raise UsageError(f"cannot read prices {path}: it is no file")
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_FILE + 1)
        if len(text) > _LARGEST_FILE:
            raise UsageError(f"{path} is no file of prices: it is larger than {_LARGEST_FILE:,} bytes")
        content = tomllib.loads(text.decode())
    except OSError as error:
        raise UsageError(f"cannot read prices {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no TOML file of prices: {str(error)[:200]}") from None
    entries = content.get("price")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(
            f"{path} holds no [[price]]; expected one for each device, with device, per_hour, currency, date and source"
        )
    return tuple(_entry(entry, number, path) for number, entry in enumerate(entries, 1))


def _entry(entry: dict[str, object], number: int, path: Path) -> Price:
    place = f"price {number} in {path}"
    unknown, lacking = sorted(entry.keys() - _FIELDS), sorted(_FIELDS - entry.keys())
    if unknown:
        raise UsageError(f"{place} has an unknown '{unknown[0]:.40}'; expected {', '.join(sorted(_FIELDS))}")
    if lacking:
        raise UsageError(f"{place} lacks its {' and '.join(lacking)}")
    amount, date = entry["per_hour"], entry["date"]
    if isinstance(amount, bool) or not isinstance(amount, int | float) or abs(amount) > _MOST:
        raise UsageError(f"{place} has no number for per_hour")
    if not isinstance(date, datetime.date):
        raise UsageError(f"{place} has no date as 2026-01-31, unquoted")
    texts = {}
    for name in ("device", "currency", "source"):
        text = entry[name]
        if not isinstance(text, str) or not text.strip():
            raise UsageError(f"{place} has no text for its {name}")
        texts[name] = text.strip()
    if not re.fullmatch(r"[A-Za-z]{3}", texts["currency"]):
        raise UsageError(f"{place} has the currency '{texts['currency']:.20}'; expected three letters, as EUR")
    return Price(
        texts["device"], float(amount), texts["currency"].upper(), date.isoformat()[:10], texts["source"], filed=True
    )


def find_price(prices: Sequence[Price], machine: str, names: Sequence[str]) -> Price | None:
    """The price of a device in the machine of this fingerprint that goes by these names, the most particular name first.

    What is given by hand comes before what a file says, one for this machine before one for any; of several, the last given counts.
    """
    for filed, particular in ((False, True), (False, False), (True, True), (True, False)):
        for name in names:
            for price in reversed(prices):
                if price.filed is filed and (_means(price.device, machine, name) if particular else price.device == name):
                    return price
    return None


def _means(device: str, machine: str, name: str) -> bool:
    """Whether it is ``MACHINE/NAME``."""
    beginning, slash, rest = device.partition("/")
    return bool(slash) and len(beginning) >= FEWEST_CHARACTERS and machine.startswith(beginning) and rest == name
