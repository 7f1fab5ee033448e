"""The conformance kits: proof, in a plugin author's own test suite, that a backend or a data reader keeps the contract.

    from bench.testing import BackendConformance, ReaderConformance

    class TestMine(BackendConformance):
        backend = MyBackend()

    class TestMyReader(ReaderConformance):
        workload = my_workload

Needs pytest. The checks themselves are plain functions from a ``Subject`` to ``bench.record.schema.Check``, in ``probing``,
``training``, ``predicting`` and ``proof``, or from a ``Reading``, in ``reading``; ``zoo`` holds an honest backend and many that are not, each of which the kit
catches, so that an author sees that it bites.
"""

from bench.testing.conformance import BackendConformance, ReaderConformance
from bench.testing.workloads import kit_workloads, layer_workloads

__all__ = ["BackendConformance", "ReaderConformance", "kit_workloads", "layer_workloads"]
