"""Parameters and operations: against published figures, and against PyTorch's own counter."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from backends.torch_lowering import load, lower, numerics
from bench.spec import Conv2d, Dense, Flatten, Network, ReLU, sequential, walk
from bench.spec.counts import forward_elements, forward_flops, parameter_count, training_elements, training_flops
from bench.spec.weights import initial_weights
from bench.testing import kit_workloads
from workloads.networks import resnet18, resnet50, small_residual

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("network", "parameters"), [(resnet18(224, 1000), 11_689_512), (resnet50(224, 1000), 25_557_032)])
def test_resnets_have_the_published_number_of_parameters(network: Network, parameters: int):
    assert parameter_count(network) == parameters


def test_resnet50_costs_what_is_published():
    assert forward_flops(resnet50(224, 1000)) / 2 == pytest.approx(4.09e9, rel=0.01)  # multiply-accumulates, v1.5


def test_products_read_their_input_and_write_their_output():
    network = Network(4, 4, 2, sequential(conv=Conv2d(3, 5, 3, padding=1), relu=ReLU(), flat=Flatten(), head=Dense(80, 2)))
    conv, head = 3 * 16 + 5 * 16, 80 + 2
    assert forward_elements(network) == conv + head
    assert training_elements(network) == 2 * conv + 3 * head  # the first layer needs no input gradient


NETWORKS = {workload.name: workload.network for workload in kit_workloads()} | {
    "small residual": small_residual(28, 2),
    "resnet18": resnet18(64, 2),
    "resnet50": resnet50(32, 2),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_counts_equal_those_of_torch(name: str):
    network, batch = NETWORKS[name], 2
    tensors = load(initial_weights(network, 0), torch.device("cpu"), torch.float32, train=True)
    logits = lower(network, tensors, numerics("fp32"), training=True)
    images = torch.randint(0, 256, (batch, network.height, network.width, 3), dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter:
        loss = F.cross_entropy(logits(images), torch.zeros(batch, dtype=torch.int64))
        forward = counter.get_total_flops()
        loss.backward()
    assert forward == batch * forward_flops(network)
    # PyTorch counts a grouped convolution's weight gradient as if it had one group.
    grouped = sum(
        2 * (node.layer.groups - 1) * node.output_shape[1] * node.output_shape[2] * math.prod(kernel_shape(node.layer))
        for node in walk(network)
        if isinstance(node.layer, Conv2d)
    )
    assert counter.get_total_flops() == batch * (training_flops(network) + grouped)


def kernel_shape(layer: Conv2d) -> tuple[int, ...]:
    return layer.out_channels, layer.in_channels // layer.groups, layer.kernel, layer.kernel
