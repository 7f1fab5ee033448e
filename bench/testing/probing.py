"""What a backend says of itself: nothing here touches a device beyond ``probe()``."""

from __future__ import annotations

from bench.contract import Backend, Probe
from bench.record.schema import Check
from bench.worker.offered import backend_fault, probe_fault, say


def check_backend(backend: Backend) -> list[Check]:
    """The backend's attributes and methods, and its probe, asked twice."""
    faults = backend_fault(backend)
    checks = [Check(name="backend", passed=not faults, detail=faults)]
    try:
        found, again = backend.probe(), backend.probe()
    except Exception as error:  # exactly what the contract forbids
        return [*checks, Check(name="probe", passed=False, detail=f"probe() raised {say(error)}")]
    faults = _probe(found)
    if not faults and found != again:
        faults = "probe() answered differently when asked again"
    return [*checks, Check(name="probe", passed=not faults, detail=faults)]


def _probe(found: object) -> str:
    fault = probe_fault(found)
    if not fault and isinstance(found, Probe) and found.devices and not found.versions:
        return "versions are empty; name at least the framework's, for the record"
    return fault
