"""What the kit says of attributes that a trainer or a predictor need not have."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bench.testing.training import check_optional


@pytest.mark.parametrize("attributes", [{}, {"lowering": "graph", "device_memory": lambda: 0, "in_flight": 4}])
def test_right_ones_pass(attributes):
    assert check_optional(SimpleNamespace(**attributes)).passed


@pytest.mark.parametrize("attributes", [{"lowering": 1}, {"device_memory": lambda: -1}, {"in_flight": 0}])
def test_wrong_ones_are_named(attributes):
    check = check_optional(SimpleNamespace(**attributes))
    assert not check.passed
    assert next(iter(attributes)) in check.detail
