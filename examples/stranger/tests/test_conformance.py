"""The kits in use: run ``pytest`` in this folder once the package is installed."""

from stranger.numpy_backend import NumpyBackend
from stranger.stripes import bench_workloads

from bench.testing import BackendConformance, ReaderConformance


class TestNumpy(BackendConformance):
    backend = NumpyBackend()


class TestStripes(ReaderConformance):
    (workload,) = bench_workloads()
