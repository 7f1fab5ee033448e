"""Figures as people say them."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.durations import UNKNOWN, duration, number, size, spread

DAY, YEAR = 86400.0, 365.25 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (4e-7, "0.4 µs"),
        (3.2e-5, "32.0 µs"),
        (0.0123, "12.3 ms"),
        (0.99996, "1.0 s"),
        (4.2, "4.2 s"),
        (38.2, "38 s"),
        (59.6, "1.0 min"),
        (52 * 60, "52 min"),
        (59.7 * 60, "1.0 h"),
        (4.1 * 3600, "4.1 h"),
        (36.4 * 3600, "36.4 h"),
        (47.97 * 3600, "2.0 days"),
        (11.3 * DAY, "11.3 days"),
        (120.4 * DAY, "120 days"),
        (364.7 * DAY, "1.0 years"),
        (3.2 * YEAR, "3.2 years"),
        (1234 * YEAR, "1,234 years"),
        (3.17e6 * YEAR, "3.17 million years"),
        (5e11 * YEAR, "500 billion years"),
        (1e20 * YEAR, "1.0e+20 years"),
        (math.nan, UNKNOWN),
        (math.inf, UNKNOWN),
        (-38.2, "-38 s"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@given(st.floats())
def test_any_float_is_a_duration(seconds):
    assert re.fullmatch(
        r"–|-?[\d.,]+(e[+-]\d+)?( million| billion| trillion)? (µs|ms|s|min|h|days|years)|0 s", duration(seconds)
    )


UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "days": DAY, "years": YEAR}


@given(st.floats(1e-6, 1e12))
def test_a_duration_can_be_read_back_to_two_digits(seconds):
    value, unit = duration(seconds).split()
    assert float(value.replace(",", "")) * UNITS[unit] == pytest.approx(seconds, rel=0.051)


@given(st.floats(1e-6, 1e13), st.floats(1.2, 10))
def test_what_takes_clearly_longer_reads_longer(seconds, factor):
    assert duration(seconds) != duration(seconds * factor)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1840.4, "1,840"),
        (52.34, "52.3"),
        (0.01234, "0.0123"),
        (9.999, "10.00"),
        (1.5e17, "1.50e+17"),
        (math.nan, UNKNOWN),
    ],
)
def test_number(value, text):
    assert number(value) == text


@given(st.floats())
def test_any_float_is_a_number(value):
    assert number(value)


@given(st.floats(1e-6, 1e14))
def test_a_number_can_be_read_back_to_three_digits(value):
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.006)


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (10, 9.9, 10.12, "± 2 %"),
        (10, 9.98, 10.01, "± 0.2 %"),
        (10, 10, 10, "± 0.1 %"),
        (10, 8, 12.01, "± 21 %"),
        (10, 5, 20, ""),
        (10, None, None, ""),
        (10, math.nan, 11, ""),
        (10, 9, math.inf, ""),
    ],
)
def test_spread(value, low, high, text):
    assert spread(value, low, high) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, UNKNOWN), (5, "5.00 B"), (2_500_000_000, "2.33 GiB"), (2**80, "1,050,000 EiB")]
)
def test_size(count, text):
    assert size(count) == text
