"""Which of NVML's GPUs a framework's first one is."""

from __future__ import annotations

import pytest

from bench.machine.visible_gpus import Gpu, nvml_index

ALIKE = [Gpu("H100", "GPU-aa11"), Gpu("H100", "GPU-ab22"), Gpu("H100", "GPU-cc33")]
MIXED = [Gpu("T4", "GPU-aa11"), Gpu("H100", "GPU-bb22")]


@pytest.mark.parametrize(
    ("physical", "visible", "index"),
    [
        ("gpu:0", None, 0),
        ("gpu:2", None, 2),
        ("gpu:3", None, None),
        ("gpu:0", "2", 2),
        ("gpu:0", "2,0", 2),
        ("gpu:1", " 2, 0 ", 0),
        ("gpu:1", "2", None),
        ("gpu:0", "GPU-cc33", 2),
        ("gpu:1", "GPU-cc,GPU-aa11", 0),
        ("gpu:0", "GPU-a", None),  # fits two
        ("gpu:0", "GPU-zz", None),
        ("gpu:0", "MIG-GPU-aa11/1/0", None),
        ("gpu:1", "0,-1,2", None),  # nothing is visible from -1 on
        ("gpu:0", "0,-1,2", 0),
        ("gpu:0", "", None),
        ("gpu:0", "9", None),
        ("tpu:0", None, None),
        ("host", None, None),
        ("gpu", None, None),
        ("gpu:one", None, None),
    ],
)
def test_a_visible_gpu_is_found_in_nvmls_list(physical, visible, index):
    assert nvml_index(physical, ALIKE, {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}) == index


def test_among_several_models_an_index_tells_only_in_the_order_of_the_bus():
    assert nvml_index("gpu:0", MIXED, {}) is None
    assert nvml_index("gpu:0", MIXED, {"CUDA_VISIBLE_DEVICES": "1"}) is None
    assert nvml_index("gpu:0", MIXED, {"CUDA_VISIBLE_DEVICES": "GPU-bb22"}) == 1
    assert nvml_index("gpu:0", MIXED, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) == 0
    assert nvml_index("gpu:0", MIXED, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1"}) == 1


def test_instances_of_a_divided_gpu_are_not_told_apart():
    assert nvml_index("gpu:0", [ALIKE[0]._replace(divided=True)], {}) is None


def test_a_machine_without_gpus_has_none_to_find():
    assert nvml_index("gpu:0", [], {}) is None
