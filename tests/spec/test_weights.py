"""Initial weights: the same numbers on every machine and in every release."""

from __future__ import annotations

import numpy as np
import pytest

from bench.spec import BatchNorm, Conv2d, Dense, GlobalAveragePool, Network, decays, sequential, trainable
from bench.spec.tensors import tensor_shapes
from bench.spec.weights import digest, initial_weights, uniform
from bench.testing import kit_workloads
from workloads.networks import resnet50, small_residual

NETWORK = Network(
    8,
    8,
    3,
    sequential(conv=Conv2d(3, 8, 3, groups=1, bias=True), norm=BatchNorm(8), pool=GlobalAveragePool(), head=Dense(8, 3)),
)


def test_digests_are_those_of_the_golden_files():
    """Literal: whoever changes initialisation changes every golden file, and must mean it."""
    assert digest(initial_weights(small_residual(28, 2), 0)) == SMALL_RESIDUAL
    assert digest(initial_weights(NETWORK, 1)) == NETWORK_1


SMALL_RESIDUAL = "efccf05c9ddd0149fe1c2bbd405d75470a8416d791162e374d65350256be4e6b"
NETWORK_1 = "d5366d9672ce70dbb082782df73a7adb593e22ef645fd97ab335f1bb8b9ce075"


def test_uniform_numbers_are_literal():
    assert uniform("label", 3).tolist() == [0.760608958990589, 0.5664318604060258, 0.708959799327969]


def test_a_seed_and_a_path_decide_a_tensor():
    first, again, other = (initial_weights(NETWORK, seed) for seed in (0, 0, 1))
    assert digest(first) == digest(again) != digest(other)
    kernels = [value for name, value in initial_weights(resnet50(32, 2), 0).items() if value.shape == (64, 64, 3, 3)]
    assert len(kernels) == 3
    assert not np.array_equal(kernels[0], kernels[1])


def test_distribution():
    weights = initial_weights(resnet50(32, 2), 0)
    for name, fan in (("stage2_block0.add.body.spatial.conv.weight", 128 * 9), ("head.weight", 2048 + 2)):
        bound = np.sqrt(6 / fan)
        value = weights[name]
        assert value.dtype == np.float32
        assert np.abs(value).max() <= bound
        assert value.std() == pytest.approx(bound / np.sqrt(3), rel=0.05)
        assert abs(value.mean()) < 0.05 * bound


def test_biases_and_norms_start_plain():
    weights = initial_weights(NETWORK, 0)
    assert not weights["conv.bias"].any()
    assert not weights["head.bias"].any()
    assert (weights["norm.weight"] == 1).all()
    assert (weights["norm.running_var"] == 1).all()
    assert not weights["norm.running_mean"].any()


@pytest.mark.parametrize("workload", kit_workloads(), ids=lambda workload: workload.name)
def test_shapes_are_those_of_the_weights(workload):
    shapes = tensor_shapes(workload.network)
    assert {name: value.shape for name, value in initial_weights(workload.network, 0).items()} == shapes


def test_roles_of_tensors():
    assert decays(NETWORK) == {"conv.weight", "head.weight"}
    trained = [name for name in tensor_shapes(NETWORK) if trainable(name)]
    assert trained == ["conv.weight", "conv.bias", "norm.weight", "norm.bias", "head.weight", "head.bias"]


def test_digest_sees_names_types_shapes_and_values():
    base = {"a": np.arange(6, dtype=np.float32)}
    variants = [
        {"b": base["a"]},
        {"a": base["a"].astype(np.float64)},
        {"a": base["a"].reshape(2, 3)},
        {"a": base["a"] + 1},
        {"a": base["a"][::-1]},
    ]
    assert len({digest(base), *(digest(variant) for variant in variants)}) == 6
    assert digest({"a": np.asfortranarray(base["a"].reshape(2, 3))}) == digest({"a": base["a"].reshape(2, 3)})
    assert digest({"a": base["a"].astype(">f4")}) == digest(base)
