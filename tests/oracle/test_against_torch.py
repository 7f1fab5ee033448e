"""The oracle's optimizers against torch.optim, in float64, and bf16 rounding against torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.cpu import CpuBackend
from bench.contract import Settings
from bench.oracle.arithmetic import round_to_bits
from bench.oracle.model import Oracle
from bench.spec import SGD, AdamW, CrossEntropy, Schedule
from bench.spec.weights import initial_weights
from bench.verify.batches import golden_batches, tile
from tests.support.misbehaving import NETWORK, workload

OPTIMIZERS = [
    SGD(Schedule(0.1)),
    SGD(Schedule(0.1, 3, 8), momentum=0.8, nesterov=True, weight_decay=0.02),
    SGD(Schedule(0.1), momentum=0.0, weight_decay=0.02, decay_all=True),
    AdamW(Schedule(0.01)),
    AdamW(Schedule(0.01, 2, 9), beta1=0.8, beta2=0.95, epsilon=1e-4, weight_decay=0.3, decay_all=True),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("weights", [None, (1.0, 3.0)], ids=["plain", "weighted"])
def test_losses_and_weights_agree_to_rounding(optimizer, weights):
    spec = workload(optimizer=optimizer, loss=CrossEntropy(weights))
    batches = golden_batches(NETWORK, 6, 8, "t")
    oracle = Oracle(spec.network, spec.loss, spec.optimizer, initial_weights(NETWORK, 0))
    expected = [oracle.step(*batch) for batch in batches]
    trainer = CpuBackend().trainer(spec, initial_weights(NETWORK, 0), "cpu", Settings("float64", 8, 1))
    progress = trainer.wait(trainer.run([trainer.stage(*batch) for batch in batches]))
    assert progress.losses == pytest.approx(expected, rel=1e-12)
    for name, value in trainer.weights().items():
        assert value == pytest.approx(oracle.weights[name], abs=1e-12), name


def test_bf16_rounding_is_torchs():
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    expected = torch.from_numpy(x).to(torch.bfloat16).to(torch.float64).numpy()
    assert np.array_equal(round_to_bits(x.astype(np.float64), 8), expected)


def test_repeating_a_batch_changes_nothing_but_the_running_variance():
    """The identity that lets one golden curve hold for every batch size."""
    from workloads.networks import small_residual

    network = small_residual(12, 2, widths=(4, 6))
    batches = golden_batches(network, 4, 4, "t")
    runs = []
    for size in (4, 12):
        run = Oracle(network, CrossEntropy((1.0, 3.0)), SGD(Schedule(0.05)), initial_weights(network, 0))
        losses = [run.step(*tile(batch, size)) for batch in batches]
        runs.append((losses, run.weights))
    (few, once), (many, thrice) = runs
    assert many == pytest.approx(few, rel=1e-11)
    for name in once:
        if not name.endswith("running_var"):
            assert thrice[name] == pytest.approx(once[name], abs=1e-10), name
