"""What a plugin's objects may say beyond what they must."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bench.errors import PluginError
from bench.worker.plugins import depth_of


@pytest.mark.parametrize(("attributes", "batches"), [({}, 2), ({"in_flight": 1}, 1), ({"in_flight": 8}, 8)])
def test_a_predictor_says_how_many_batches_it_can_use(attributes, batches):
    assert depth_of(SimpleNamespace(**attributes)) == batches


@pytest.mark.parametrize("wrong", [0, -1, True, 2.0, "four", None])
def test_anything_but_a_whole_number_names_the_predictor(wrong):
    with pytest.raises(
        PluginError, match=r"^types\.SimpleNamespace: in_flight is .*, expected a whole number of 1 to 1,024$"
    ):
        depth_of(SimpleNamespace(in_flight=wrong))
