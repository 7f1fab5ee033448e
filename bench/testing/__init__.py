"""The conformance kit: proof, in a plugin author's own test suite, that a backend keeps the contract.

    from bench.testing import BackendConformance

    class TestMine(BackendConformance):
        backend = MyBackend()

Needs pytest. The checks themselves are plain functions from a ``Subject`` to ``bench.record.schema.Check``, in ``probing``,
``training``, ``predicting`` and ``proof``; ``zoo`` holds an honest backend and many that are not, each of which the kit
catches, so that an author sees that it bites.
"""

from bench.testing.conformance import BackendConformance
from bench.testing.workloads import kit_workloads, layer_workloads

__all__ = ["BackendConformance", "kit_workloads", "layer_workloads"]
