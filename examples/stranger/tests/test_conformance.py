"""The kit in use: run ``pytest`` in this folder once the package is installed."""

from stranger.numpy_backend import NumpyBackend

from bench.testing import BackendConformance


class TestNumpy(BackendConformance):
    backend = NumpyBackend()
